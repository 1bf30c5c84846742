"""How many transactions there are of each address in each minute, and of how much: windows of one stream.

Run it:       faust -A examples.ip_minutes worker -l info
Send:         echo '{"ip": "10.0.0.1", "amount": 5}' | streamapp produce transactions
What it gives: curl localhost:6066/table/ip_minutes/10.0.0.1/     the minutes that are open, as they are now
              ip_minutes has each minute once, 10 s after its end by event time, or after 30 s of silence:
              {"key": "10.0.0.1", "start": …, "end": …, "n": 1, "total": 5}. What came too late is in late_transactions,
              and a transaction without an amount in dead_letters.
"""

from __future__ import annotations

from streamapp import App
from streamapp.windows import Count, Sum, tumbling

app = App("ip_minutes")
transactions = app.topic("transactions", create=True)

minutes = transactions.window(tumbling("1m"), by="ip", grace="10s", idle_timeout="30s")
minutes.agg(n=Count(), total=Sum("amount")).to("ip_minutes", late="late_transactions")
