//! Chat templates that loop, grow, nest, or look elsewhere.

use sepo_data::{ChatTemplate, GenerationPrompt, Message, TemplateError};

use crate::reading::told;

/// What a template says, on a stack as small as a worker's.
fn render(source: &str) -> Result<String, TemplateError> {
    let template = ChatTemplate::from_source(source)?;
    let turns = [Message { role: "user".into(), content: "Hi".into() }];
    let run = move || template.render(&turns, GenerationPrompt::Add);
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

fn refusal(source: &str) -> String {
    told(&render(source).unwrap_err(), std::path::Path::new("/none"))
}

const OUT_OF_FUEL: &str =
    "render the template within 400000 steps; it loops, or makes a text grow, without measure";

#[test]
fn work_without_end_runs_out_of_fuel() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        "{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
        "{% for i in range(99999) %}{{ 'a' * 10000 }}{% endfor %}",
        "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
        "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
        "{{ ('a' * 1000000).join('b' * 1000000) }}",
        "{{ 'a' | indent(100000000) }}",
        "{{ '%99999999d' | format(1) }}",
        "{{ ('a,' * 1000000).split(',') }}",
    ] {
        assert_eq!(refusal(source), OUT_OF_FUEL, "{source}");
    }
}

/// Found by fuzzing: a list in a list in a list cost a step each, and what was a hundred thousand deep overflowed the stack
/// when it was printed, compared, or only dropped.
#[test]
fn lists_do_not_nest_without_end() {
    let deep = |tail: &str| {
        format!(
            "{{% set n = namespace(x='a') %}}{{% for i in range(9999) %}}{{% set n.x = {tail} %}}{{% endfor %}}"
        )
    };
    for wrap in ["[n.x]", "(n.x,)", "{'a': n.x}", "dict(a=n.x)", "n.x | batch(1)", "[n.x] + []"] {
        assert_eq!(
            refusal(&deep(wrap)),
            "render the template, line 1: invalid operation: lists or maps nested more than 100 deep (in chat_template:1)",
            "{wrap}"
        );
    }
    assert!(
        refusal("{% macro f(x) %}{{ f([x]) }}{% endmacro %}{{ f(1) }}").contains("recursion limit exceeded")
    );
    assert!(
        refusal("{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}")
            .contains("recursion limit exceeded")
    );
    for own in ["n", "[n]", "{'a': n}"] {
        let source = format!("{{% set n = namespace() %}}{{% set n.x = {own} %}}{{{{ n }}}}");
        assert!(refusal(&source).contains("a namespace cannot hold a namespace"), "{own}");
    }
}

/// Forty lines made a value that took a terabyte to print and years to compare.
#[test]
fn lists_do_not_repeat_without_end() {
    for tail in
        ["{{ s }}", "{{ s == t }}", "{{ s in [t] }}", "{{ s ~ '' }}", "{{ s | tojson }}", "{{ s | string }}"]
    {
        let source = "{% set s = 'a' %}{% set t = 'a' %}".to_owned()
            + &"{% set s = [s, s] %}{% set t = [t, t] %}".repeat(40)
            + tail;
        assert_eq!(
            refusal(&source),
            "render the template, line 1: invalid operation: a list or map holds more than 50000 values, nested ones \
             included (in chat_template:1)",
            "{tail}"
        );
    }
    for source in ["{{ [0] * 100000000 }}", "{{ 100000000 * (['a' * 1000] + []) }}"] {
        assert!(refusal(source).contains("a list cannot be multiplied in a chat template"), "{source}");
    }
    assert!(refusal("{{ range(1000000000) }}").contains("range has too many elements"));
    assert!(refusal("{{ '{:>9999999999}'.format(1) }}").contains("a width in a format has at most 4 digits"));
    assert!(refusal("{{ messages | tojson(indent='x' * 1000) }}").contains("short string"));
    assert!(refusal("{{ messages | pprint }}").contains("unknown filter"));
    assert!(refusal("{{ debug() }}").contains("debug"));
}

/// Found by the target `chat_template`: a sum of lists was an iterator over both, which takes nothing until it is compared.
#[test]
fn sums_of_lists_do_not_double_without_end() {
    for tail in ["{{ s == s }}", "{{ s in [s] }}", "{{ s }}", "{{ s | tojson }}", ""] {
        let source = "{% set s = ['a', 'b'] %}".to_owned() + &"{% set s = s + s %}".repeat(100) + tail;
        assert!(refusal(&source).contains("a list or map holds more than 50000 values"), "{tail}");
    }
    assert_eq!(
        render(
            "{% set s = ['a'] + ['b'] %}{% set s = s + s %}{{ s | length }} {{ s[3] }} {{ s }} {{ s == s }}"
        )
        .unwrap(),
        "4 b ['a', 'b', 'a', 'b'] True"
    );
}

/// Found by reading: the compiler calls itself for each `+` of a chain, and so did what takes its tree apart.
#[test]
fn a_tag_is_not_as_deep_as_the_stack() {
    let n = 100_000;
    let chain = |link: &str| format!("{{{{ a{} }}}}", link.repeat(n));
    for link in [" + a", ".b", "|trim", " and a", "()", "[0]", " ~ a", " is defined", " if b else a"] {
        assert_eq!(
            refusal(&chain(link)),
            "compile the template, line 0: syntax error: a tag has more than 2000 words and signs (line 1); divide it \
             with `set`",
            "{link}"
        );
    }
    assert!(refusal(&format!("{{{{ {}a }}}}", "not ".repeat(n))).contains("more than 2000 words"));
    let branches = format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(n));
    assert!(refusal(&branches).contains("there are more than 2000 `elif`"));
    assert!(refusal(&"{% if a %}".repeat(n)).contains("recursion limits"));
    let longest = format!("{{{{ 'a'{} }}}}", "|trim".repeat(990));
    assert_eq!(render(&longest).unwrap(), "a");
}

#[test]
fn nothing_is_read_from_elsewhere() {
    for tag in
        ["include '/etc/passwd'", "import '/etc/passwd' as p", "from 'x' import y", "extends 'chat_template'"]
    {
        assert_eq!(
            refusal(&format!("a\n{{% {tag} %}}")),
            "compile the template, line 0: syntax error: a chat template cannot read other files, as the tag on line 2 \
             would; put their text into it",
            "{tag}"
        );
    }
}

#[test]
fn what_templates_do_with_lists_is_allowed() {
    for (source, text) in [
        (
            "{% set m = [{'role': 'system', 'content': 'S'}] + messages %}{% for x in m %}{{ x.content }}{% endfor %}",
            "SHi",
        ),
        (
            "{% set n = namespace(l=[]) %}{% for i in range(99) %}{% set n.l = n.l + [i] %}{% endfor %}{{ n.l | length }}",
            "99",
        ),
        ("{% set c = 'x' %}{% if c is string %}{% set c = [{'text': c}] %}{% endif %}{{ c[0].text }}", "x"),
        ("{{ '=' * 3 }}{{ 2 * 3 }}{% for m in messages[::-1] %}{{ m['role'] }}{% endfor %}", "===6user"),
        (
            "{% for k, v in messages[0].items() %}{{ k }}{% endfor %}{{ messages | map(attribute='role') | join }}",
            "rolecontentuser",
        ),
        (
            "{% if messages[0] == messages[-1] and 'a' in ['a', 'b'] and messages[0].role in ['user'] %}y{% endif %}",
            "y",
        ),
        ("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f('a') }}", "<a>"),
        ("{% macro f(x) %}{{ x }}{{ caller() }}{% endmacro %}{% call f('b') %}c{% endcall %}", "bc"),
        (
            "{% with a = [messages[0]] %}{{ a[0].content }}{% endwith %}{% filter upper %}b{% endfilter %}",
            "HiB",
        ),
        (
            "{% for x in [1, [2]] recursive %}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x }}{% endif %}{% endfor %}",
            "12",
        ),
        ("{{ '{:>4}|{}'.format('a', 12345) }}", "   a|12345"),
    ] {
        assert_eq!(render(source).unwrap(), text, "{source}");
    }
}

#[test]
fn a_long_conversation_is_allowed_more() {
    let turn = |content: String| Message { role: "user".into(), content };
    let template = ChatTemplate::builtin("chatml").unwrap();
    let many: Vec<Message> = (0..10_000).map(|i| turn(i.to_string())).collect();
    assert!(
        template
            .render(&many, GenerationPrompt::Add)
            .unwrap()
            .ends_with("9999<|im_end|>\n<|im_start|>assistant\n")
    );
    let long = [turn("x".repeat(30 << 20))];
    assert!(template.render(&long, GenerationPrompt::Add).is_ok());
}

#[test]
fn files_that_no_template_is_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.jinja");
    std::fs::write(&path, vec![b'a'; (16 << 20) + 1]).unwrap();
    assert_eq!(
        told(&ChatTemplate::from_file(&path).unwrap_err(), dir.path()),
        "read large.jinja: it has more than 16777216 bytes, which no such file has"
    );
    assert_eq!(
        told(&ChatTemplate::from_file(dir.path()).unwrap_err(), dir.path().parent().unwrap()),
        format!("read {}: it is no regular file", dir.path().file_name().unwrap().display())
    );
    std::fs::write(&path, b"a\xff").unwrap();
    assert_eq!(
        told(&ChatTemplate::from_file(&path).unwrap_err(), dir.path()),
        "read large.jinja: it is not UTF-8 at byte 1"
    );
}
