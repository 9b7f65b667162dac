//! What templates may use, and what stops them.

use sepo_data::{ChatTemplate, GenerationPrompt, Message, TemplateError};
use serde_json::{Value, json};

fn turns(turns: &[(&str, &str)]) -> Vec<Message> {
    turns.iter().map(|(role, content)| Message { role: (*role).into(), content: (*content).into() }).collect()
}

fn render(source: &str) -> Result<String, TemplateError> {
    ChatTemplate::from_source(source)?
        .render(&turns(&[("user", "Hi"), ("assistant", "Yo")]), GenerationPrompt::Omit)
}

/// `{{ x | tojson… }}` with `x` of the message.
fn tojson(x: Value, filter: &str) -> String {
    let template = ChatTemplate::from_source(&format!("{{{{ messages[0].x | {filter} }}}}")).unwrap();
    template.render_json(&[json!({"x": x})], GenerationPrompt::Omit).unwrap()
}

#[test]
fn generation_tags_keep_their_body_and_trim_like_other_tags() {
    let source = "{% for m in messages %}\n  {% generation %}\n{{ m.content }}\n  {%- endgeneration -%}  \n!{% endfor %}";
    assert_eq!(render(source).unwrap(), "Hi!Yo!");
    let looped = "{% for m in messages %}{% generation %}{{ m.content }}{% continue %}{% endgeneration %}{% endfor %}.";
    assert_eq!(render(looped).unwrap(), "HiYo.");
}

#[test]
fn whitespace_is_trimmed_as_transformers_sets_it() {
    assert_eq!(render("  {% if true %}\n  a\n  {% endif %}\nb\n").unwrap(), "  a\nb");
    assert_eq!(render("x\n\n").unwrap(), "x\n");
}

#[test]
fn json_is_written_as_python_writes_it() {
    let value =
        json!({"b": [1, 2.5, 1e20, "é<&'>\u{7f}\u{1}\n\"\\/"], "a": {}, "c": [], "d": null, "e": true});
    assert_eq!(
        tojson(value, "tojson"),
        "{\"b\": [1, 2.5, 1e+20, \"é<&'>\u{7f}\\u0001\\n\\\"\\\\/\"], \"a\": {}, \"c\": [], \"d\": null, \"e\": true}"
    );
    let nested = json!({"b": [1, {"c": 2}], "a": {}});
    let indented = "{\n  \"b\": [\n    1,\n    {\n      \"c\": 2\n    }\n  ],\n  \"a\": {}\n}";
    assert_eq!(tojson(nested.clone(), "tojson(indent=2)"), indented);
    assert_eq!(tojson(nested.clone(), "tojson(separators=(',', ':'))"), "{\"b\":[1,{\"c\":2}],\"a\":{}}");
    assert_eq!(tojson(nested, "tojson(sort_keys=true)"), "{\"a\": {}, \"b\": [1, {\"c\": 2}]}");
    assert_eq!(tojson(json!("é😀"), "tojson(ensure_ascii=true)"), "\"\\u00e9\\ud83d\\ude00\"");
}

#[test]
fn what_a_template_refuses_is_told_in_its_words() {
    let error = render("{% if true %}{{ raise_exception('roles must alternate') }}{% endif %}").unwrap_err();
    assert!(matches!(error, TemplateError::Raised { message } if message == "roles must alternate"));
    let error = render("{% macro f() %}{{ raise_exception('deep') }}{% endmacro %}{{ f() }}").unwrap_err();
    assert!(matches!(error, TemplateError::Raised { message } if message == "deep"));
}

#[test]
fn errors_name_the_line() {
    let error = ChatTemplate::from_source("a\n{% if %}").unwrap_err();
    assert!(matches!(error, TemplateError::Syntax { line: 2, .. }), "{error:?}");
    let error = render("a\nb\n{{ messages[0].no.such }}").unwrap_err();
    assert!(matches!(error, TemplateError::Render { line: 3, .. }), "{error:?}");
}

#[test]
fn loops_break_and_cannot_run_forever() {
    assert_eq!(render("{% for m in messages %}{{ m.role }}{% break %}{% endfor %}").unwrap(), "user");
    let nested = "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}";
    assert!(matches!(render(nested), Err(TemplateError::OutOfFuel { .. })));
    let recursive = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
    assert!(render(recursive).is_err());
}

#[test]
fn no_other_file_can_be_read() {
    assert!(render("{% include '/etc/passwd' %}").is_err());
}

#[test]
fn the_clock_can_be_fixed_and_a_bad_format_is_an_error() {
    let noon = chrono::NaiveDate::from_ymd_opt(2024, 7, 26).unwrap().and_hms_opt(12, 0, 0).unwrap();
    let render = |source| {
        let template = ChatTemplate::from_source(source).unwrap().at(noon);
        template.render(&[], GenerationPrompt::Omit)
    };
    assert_eq!(render("{{ strftime_now('%d %b %Y %H:%M') }}").unwrap(), "26 Jul 2024 12:00");
    assert!(matches!(render("{{ strftime_now('%!') }}"), Err(TemplateError::Render { .. })));
    let today = ChatTemplate::from_source("{{ strftime_now('%Y') }}").unwrap();
    assert_eq!(today.render(&[], GenerationPrompt::Omit).unwrap().len(), 4);
}

#[test]
fn python_methods_and_missing_tools_work() {
    assert_eq!(
        render("{{ messages[0].content.startswith('H') }}{{ messages[-1]['content'].strip('Y') }}").unwrap(),
        "Trueo"
    );
    assert_eq!(render("{% if tools is none %}none{% endif %}{{ bos_token }}").unwrap(), "none");
}

#[test]
fn special_tokens_and_variables_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let map = json!({"bos_token": "<map>", "unk_token": "<unk>", "pad_token": "<pad>"});
    std::fs::write(dir.path().join("special_tokens_map.json"), map.to_string()).unwrap();
    let config = json!({
        "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null,
        "chat_template": [
            {"name": "tool_use", "template": "T"},
            {"name": "default", "template": "{{ bos_token }}{{ unk_token }}{{ pad_token }}{{ eos_token }}{{ depth }}"},
        ],
    });
    std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    let template = ChatTemplate::from_model_dir(dir.path()).unwrap();
    let hash = template.hash();
    assert_eq!(template.render(&[], GenerationPrompt::Omit).unwrap(), "<s><unk></s>");
    let deeper = template.with_variables(json!({"depth": 3}).as_object().unwrap().clone());
    assert_eq!(deeper.render(&[], GenerationPrompt::Omit).unwrap(), "<s><unk></s>3");
    assert_ne!(deeper.hash(), hash);
    // A file of its own overrides the configuration.
    std::fs::write(dir.path().join("chat_template.jinja"), "file {{ bos_token }}\n").unwrap();
    let file = ChatTemplate::from_model_dir(dir.path()).unwrap();
    assert_eq!(file.render(&[], GenerationPrompt::Omit).unwrap(), "file <s>");
}

#[test]
fn a_missing_template_is_told_from_a_broken_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(ChatTemplate::from_model_dir(dir.path()), Err(TemplateError::Missing { .. })));
    let path = dir.path().join("tokenizer_config.json");
    std::fs::write(&path, r#"{"chat_template": [{"name": "rag", "template": "R"}]}"#).unwrap();
    let error = ChatTemplate::from_model_dir(dir.path()).unwrap_err();
    assert!(matches!(error, TemplateError::NoDefault { names, .. } if names == ["rag"]));
    std::fs::write(&path, "{").unwrap();
    assert!(matches!(ChatTemplate::from_model_dir(dir.path()), Err(TemplateError::Json { .. })));
    assert!(matches!(ChatTemplate::builtin("alpaca"), Err(TemplateError::UnknownBuiltin { .. })));
}

#[test]
fn built_in_templates_render() {
    let turns = turns(&[("system", "S"), ("user", "Hi\n"), ("assistant", " Yo"), ("user", "Bye")]);
    let chatml = ChatTemplate::builtin("chatml").unwrap();
    assert_eq!(
        chatml.render(&turns, GenerationPrompt::Add).unwrap(),
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi\n<|im_end|>\n<|im_start|>assistant\n Yo<|im_end|>\n\
         <|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    );
    let plain = ChatTemplate::builtin("plain").unwrap();
    assert_eq!(
        plain.render(&turns, GenerationPrompt::Add).unwrap(),
        "\n\nSystem: S\n\nHuman: Hi\n\n\nAssistant:  Yo\n\nHuman: Bye\n\nAssistant:"
    );
    let tool = [Message { role: "tool".into(), content: "x".into() }];
    assert!(matches!(plain.render(&tool, GenerationPrompt::Add), Err(TemplateError::Raised { .. })));
}
