"""The reference of the pipeline benchmark: the smallest python-telegram-bot that echoes, as its documentation shows it.

It stores nothing, orders nothing and loses what it holds when it dies: what it takes less than Parlour is the price of
Parlour's guarantees.
"""

import argparse

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

READY = "Reference bot is ready."


async def echo(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say the same."""
    if update.message is not None and update.message.text is not None:
        await update.message.reply_text(update.message.text)


async def _say_ready(_application: object) -> None:
    print(READY, flush=True)  # noqa: T201 (what the benchmark waits for)


def main() -> None:
    """Poll until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True, help="Bot API server, ending in /bot")
    parser.add_argument("--token", required=True)
    parser.add_argument("--concurrent", action="store_true", help="handle updates side by side, in no order")
    options = parser.parse_args()
    builder = Application.builder().token(options.token).base_url(options.base_url)
    application = builder.concurrent_updates(options.concurrent).post_init(_say_ready).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling()


if __name__ == "__main__":
    main()
