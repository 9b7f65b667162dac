//! Tokenizer files and chat templates.

use super::case::{Case, as_it_is, check};
use super::support::{DATA, USAGE, World};
use super::world::{halve, replace};

const SFT: &str = "sft --model model --data pairs.jsonl --out out";
const CHAT: &str = "sft --model model --data pairs.jsonl --out out --text-as-chat --chat-template bad.jinja";

const TOKENIZERS: &[Case] = &[
    Case {
        what: "text for a model without a tokenizer",
        before: |world| std::fs::remove_file(world.path("model/tokenizer.json")).unwrap(),
        typed: SFT,
        exit: DATA,
    },
    Case {
        what: "a tokenizer.json that is cut off",
        before: |world| halve(world, "model/tokenizer.json"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a tokenizer of an unknown kind",
        before: |world| replace(world, "model/tokenizer.json", "\"BPE\"", "\"ABC\""),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a tokenizer_config.json that is no JSON",
        before: |world| drop(world.write("model/tokenizer_config.json", "{\"eos_token\": ")),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a folder without a tokenizer for a look",
        before: |world| std::fs::create_dir(world.path("bare")).unwrap(),
        typed: "data show pairs.jsonl --row 0 --tokenizer bare",
        exit: USAGE,
    },
    Case {
        what: "a folder that is not there for lengths",
        before: as_it_is,
        typed: "data check pairs.jsonl --tokenizer absent",
        exit: USAGE,
    },
];

fn template(world: &World, text: &str) {
    world.write("bad.jinja", text);
}

const TEMPLATES: &[Case] = &[
    Case { what: "a template that is not there", before: as_it_is, typed: CHAT, exit: USAGE },
    Case {
        what: "no template in the model folder",
        before: as_it_is,
        typed: "sft --model model --data pairs.jsonl --out out --text-as-chat",
        exit: USAGE,
    },
    Case {
        what: "a template that is no UTF-8",
        before: |world| drop(world.write("bad.jinja", b"{{ \xff }}")),
        typed: CHAT,
        exit: USAGE,
    },
    Case {
        what: "a template that is no Jinja",
        before: |world| template(world, "{% for m in messages %}\n{{ m.content }\n{% endfor %}"),
        typed: CHAT,
        exit: USAGE,
    },
    Case {
        what: "a template that calls what is not there",
        before: |world| template(world, "{% for m in messages %}{{ shout(m.content) }}{% endfor %}"),
        typed: CHAT,
        exit: DATA,
    },
    Case {
        what: "a template that refuses",
        before: |world| template(world, "{{ raise_exception('system messages first, please') }}"),
        typed: CHAT,
        exit: DATA,
    },
    Case {
        what: "a template that reads files",
        before: |world| template(world, "{% include '/etc/passwd' %}"),
        typed: CHAT,
        exit: USAGE,
    },
    Case {
        what: "a template that never ends",
        before: |world| {
            let text = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
            template(world, text);
        },
        typed: CHAT,
        exit: DATA,
    },
    Case {
        what: "a template that asks for all memory",
        before: |world| template(world, "{{ 'x' * 99999999999 }}"),
        typed: CHAT,
        exit: DATA,
    },
    Case {
        what: "a template that drops the response",
        before: |world| {
            template(world, "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}")
        },
        typed: CHAT,
        exit: DATA,
    },
    Case {
        what: "a template in tokenizer_config.json that is no Jinja",
        before: |world| drop(world.write("model/tokenizer_config.json", r#"{"chat_template": "{% if %}"}"#)),
        typed: "generate --model model --prompts pairs.jsonl --out new.jsonl",
        exit: USAGE,
    },
    Case {
        what: "messages for a model without a template",
        before: |world| {
            let row = r#"{"prompt": [{"role": "user", "content": "Why?"}], "chosen": [{"role": "assistant", "content": "So."}], "rejected": [{"role": "assistant", "content": "No."}]}"#;
            drop(world.write("bad.jsonl", row));
        },
        typed: "sft --model model --data bad.jsonl --out out",
        exit: DATA,
    },
    Case {
        what: "messages to generate from without a template",
        before: |world| {
            drop(world.write("bad.jsonl", r#"{"prompt": [{"role": "user", "content": "Why?"}]}"#));
        },
        typed: "generate --model model --prompts bad.jsonl --out new.jsonl",
        exit: USAGE,
    },
];

#[test]
fn tokenizers_that_cannot_be_are_refused() {
    check("tokenizer_files", TOKENIZERS);
}

#[test]
fn templates_that_cannot_be_are_refused() {
    check("tokenizer_templates", TEMPLATES);
}
