"""Our commands beside Faust's, one file each."""
