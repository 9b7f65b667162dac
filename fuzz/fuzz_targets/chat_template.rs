//! Chat templates: any text, and sequences of what templates are made of.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::{ChatTemplate, GenerationPrompt};
use sepo_fuzz::{describe, watched};
use serde_json::{Value, json};

/// What the bytes stand for where the first one says so.
const PIECES: [&str; 96] = [
    "{% for m in messages %}",
    "{% endfor %}",
    "{% if m.role == 'user' %}",
    "{% else %}",
    "{% endif %}",
    "{{ m.content }}",
    "{% set ns = namespace(x='a') %}",
    "{% set ns.x = ns.x ~ ns.x %}",
    "{% set ns.x = [ns.x] %}",
    "{{ ns.x }}",
    "{% for i in range(200) %}",
    "{% for i in range(9) %}",
    "{% break %}",
    "{% continue %}",
    "{{ 'a' * 1000 }}",
    "{{ [0] * 1000 }}",
    "{% set s = 'ab' %}",
    "{% set s = s + s %}",
    "{% set s = [s, s] %}",
    "{% set s = {'a': s} %}",
    "{{ s }}",
    "{{ s | length }}",
    "{{ s | tojson }}",
    "{{ s | tojson(indent=4) }}",
    "{{ messages | tojson }}",
    "{{ s | join('abc') }}",
    "{{ s | replace('', 'ab') }}",
    "{{ s | indent(1000) }}",
    "{{ s | list }}",
    "{{ s | string }}",
    "{{ s | sort }}",
    "{{ s | unique }}",
    "{{ s | batch(2) }}",
    "{{ s | slice(100) }}",
    "{{ s | upper }}",
    "{{ s | trim }}",
    "{% macro f(x) %}",
    "{% endmacro %}",
    "{{ f(s) }}",
    "{{ f(f) }}",
    "{{ raise_exception('no') }}",
    "{{ strftime_now('%d') }}",
    "{{ strftime_now(s) }}",
    "{{ messages[0].content[::-1] }}",
    "{{ s[1:] }}",
    "{{ s[::-1] }}",
    "{{ s[99999999999] }}",
    "{{ 2 ** 100000 }}",
    "{{ 1 // 0 }}",
    "{{ 1 % 0 }}",
    "{{ -9223372036854775807 - 9 }}",
    "{{ '%s' | format(s) }}",
    "{{ '%99999999d' % 1 }}",
    "{{ s == s }}",
    "{{ s in s }}",
    "{{ s is mapping }}",
    "{{ loop.index }}",
    "{{ loop.cycle('a') }}",
    "{% generation %}",
    "{% endgeneration %}",
    "{% raw %}",
    "{% endraw %}",
    "{# ",
    " #}",
    "{%- ",
    " -%}",
    "{{ ",
    " }}",
    "{% filter upper %}",
    "{% endfilter %}",
    "{% call f() %}",
    "{% endcall %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import '/etc/passwd' as p %}",
    "{% block b %}",
    "{% endblock %}",
    "{% autoescape true %}",
    "{% endautoescape %}",
    "{{ s.split('a') }}",
    "{{ s.splitlines() }}",
    "{{ s.format(s) }}",
    "{{ s.replace('a', 'bb') }}",
    "{{ m.items() }}",
    "{{ messages | map(attribute='role') | list }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list }}",
    "{{ messages | groupby('role') }}",
    "{{ messages | rejectattr('x') }}",
    "{{ s | dictsort }}",
    "{{ s | items }}",
    "{{ s | urlencode }}",
    "{{ s | pprint }}",
    "{{ s | default('a', true) }}",
    "{{ s.strip().startswith('a') }}",
    "{{ s.count('') }}",
    "{{ s.title().join(messages) }}",
];

static MESSAGES: LazyLock<[Value; 3]> = LazyLock::new(|| {
    [
        json!({"role": "system", "content": "be kind"}),
        json!({"role": "user", "content": "日本 <b>'\"", "x": [1, 2.5, null, {"a": true}]}),
        json!({"role": "assistant", "content": "yes\n"}),
    ]
});

fn source(data: &[u8]) -> String {
    match data {
        [first, rest @ ..] if *first < 32 => String::from_utf8_lossy(rest).into_owned(),
        [_, rest @ ..] => rest.iter().map(|&byte| PIECES[usize::from(byte) % PIECES.len()]).collect(),
        [] => String::new(),
    }
}

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        let template = match ChatTemplate::from_source(&source(data)) {
            Ok(template) => template,
            Err(error) => return describe(&error),
        };
        for prompt in [GenerationPrompt::Add, GenerationPrompt::Omit] {
            if let Err(error) = template.render_json(&*MESSAGES, prompt) {
                describe(&error);
            }
        }
    });
});
