"""Faust's word count (`examples/word_count.py` of faust-streaming 0.15.3); only the import and `App` are ours."""

from __future__ import annotations

from streamapp import App

WORDS = ["the", "quick", "brown"]

app = App("word-counts")
posts_topic = app.topic("posts", value_type=str, create=True)
word_counts = app.Table("word_counts", default=int, help="Keep count of words (str to int).")
last_count = dict.fromkeys(WORDS, 0)


@app.agent(posts_topic)
async def shuffle_words(posts):
    async for post in posts:
        for word in post.split():
            await count_words.send(key=word, value=word)


@app.agent(value_type=str)
async def count_words(words):
    """Count words from blog post article body."""
    async for word in words:
        word_counts[word] += 1
        last_count[word] = word_counts[word]


@app.page("/count/{word}/")
@app.table_route(table=word_counts, match_info="word")
async def get_count(web, request, word):
    return web.json({word: word_counts[word]})


@app.page("/last/{word}/")
@app.topic_route(topic=posts_topic, match_info="word")
async def get_last(web, request, word):
    return web.json({word: last_count})


@app.task
async def sender():
    await posts_topic.maybe_declare()
    for word in WORDS:
        for _ in range(1000):
            await shuffle_words.send(value=word)


@app.on_rebalance_complete.connect  # type: ignore[arg-type]  # as Faust's example has it
async def on_rebalance_complete(sender, **kwargs):
    print(word_counts.as_ansitable(key="word", value="count", title="$$ TALLY $$", sort=True))


if __name__ == "__main__":
    app.main()
