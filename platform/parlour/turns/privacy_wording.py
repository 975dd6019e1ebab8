"""What the assistant says about exports and being forgotten, in the languages it speaks."""

from typing import Final

TEXTS: Final[dict[str, dict[str, str]]] = {
    "export_coming": {
        "en": "I am gathering everything that is stored about you. It comes here as a file in a moment.",
        "zh": "正在收集保存的关于您的全部内容，稍后会以文件形式发到这里。",
    },
    "export_here": {
        "en": "Everything that is stored about you: open `export.html` to read it, `export.json` is for programs.",
        "zh": "这是保存的关于您的全部内容：打开 `export.html` 阅读，`export.json` 供程序使用。",
    },
    "export_failed": {
        "en": "Your export could not be made. An administrator can get it with `parlour user export`.",
        "zh": "无法生成您的导出文件。请联系管理员，他们可以用 `parlour user export` 导出。",
    },
    "forgetme_ask": {
        "en": (
            "This deletes everything that is stored about you, in every messenger, and nothing brings it back. "
            "Send `/forgetme yes` within ten minutes if you want that."
        ),
        "zh": "这会删除在所有通讯软件中保存的关于您的一切，且无法恢复。如果确定，请在十分钟内发送 `/forgetme yes`。",
    },
    "forgetme_last_word": {
        "en": (
            "Everything about you is being deleted now; this is the last thing you hear of it. The operator has a "
            "signed receipt for you. If you write again, we start as strangers."
        ),
        "zh": "现在正在删除关于您的一切，这是最后一条相关消息。管理员处有签名凭据。再次来信时，我们将重新认识。",
    },
    "forgetme_held": {
        "en": (
            "What is stored about you is under a legal hold and may not be deleted now. Please ask an administrator, "
            "and send `/forgetme` again later."
        ),
        "zh": "保存的关于您的内容受法律保留约束，目前不能删除。请联系管理员，稍后再发送 `/forgetme`。",
    },
    "forgetme_owner": {
        "en": "You are the last owner here. Make somebody else owner first, then send `/forgetme` again.",
        "zh": "您是这里最后一位所有者。请先指定其他所有者，然后再发送 `/forgetme`。",
    },
}
