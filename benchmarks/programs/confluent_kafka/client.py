"""Produces or consumes a topic with confluent-kafka, and says what that took; arguments are settings."""

from client_task import BYTES, COUNT, PARTITIONS, TAKEN, TOPIC, VALUES, WARM_TOPIC, WORK, Clock, messages
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from librdkafka import CONSUMER, PRODUCER

clock = Clock()
delivered = 0


def on_delivery(error, _):
    global delivered
    if error is not None:
        raise KafkaException(error)
    delivered += 1


def produce():
    producer = Producer(PRODUCER)
    send(producer, VALUES[0])
    producer.flush()
    clock.start()
    for value in messages():
        send(producer, value)
        producer.poll(0)
    producer.flush()
    clock.stop(delivered - 1, (delivered - 1) * BYTES)


def send(producer, value):
    while True:
        try:
            producer.produce(TOPIC, value, on_delivery=on_delivery)
            break
        except BufferError:
            producer.poll(0.01)


def one_by_one():
    producer = Producer(PRODUCER)
    send(producer, VALUES[0])
    producer.flush()
    clock.start()
    for value in messages():
        send(producer, value)
        producer.flush()
    clock.stop(delivered - 1, (delivered - 1) * BYTES)


def connect_each_time():
    send_alone(VALUES[0])
    clock.start()
    for value in messages():
        send_alone(value)
    clock.stop(delivered - 1, (delivered - 1) * BYTES)


def send_alone(value):
    producer = Producer(PRODUCER)
    send(producer, value)
    producer.flush()


def consume():
    consumer = Consumer(CONSUMER)
    consumer.assign([TopicPartition(WARM_TOPIC, 0, 0)])
    taken(consumer.consume(1))
    consumer.commit(asynchronous=False)
    consumer.list_topics(TOPIC)  # librdkafka would look for the leaders of a topic only a second after it is assigned
    clock.start()
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    count = size = 0
    while count < COUNT:
        for value in taken(consumer.consume(min(TAKEN, COUNT - count), 1.0)):
            count += 1
            size += len(value)
    consumer.commit(asynchronous=False)
    clock.stop(count, size)
    consumer.close()


def taken(found):
    for message in found:
        if message.error():
            raise KafkaException(message.error())
    return [message.value() for message in found]


{"produce": produce, "consume": consume, "one by one": one_by_one, "connect": connect_each_time}[WORK]()
