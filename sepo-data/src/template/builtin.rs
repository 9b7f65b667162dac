//! The templates that come with the crate, for models that bring none.

/// Names of the built-in templates.
pub const BUILTIN_NAMES: [&str; 2] = ["chatml", "plain"];

/// `<|im_start|>role\n…<|im_end|>\n`, as OpenAI's ChatML and most open chat models have it.
const CHATML: &str = "\
{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
";

/// The transcripts of Anthropic's HH-RLHF. The space after the colon belongs to the turn's text, so that an
/// assistant's first token is a word with its space, as in running text; the prompt ends in the colon.
const PLAIN: &str = "\
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{{- '\\n\\nHuman: ' + message.content -}}
{%- elif message.role == 'assistant' -%}
{{- '\\n\\nAssistant: ' + message.content -}}
{%- elif message.role == 'system' -%}
{{- '\\n\\nSystem: ' + message.content -}}
{%- else -%}
{{- raise_exception('the plain template knows user, assistant and system, not ' + message.role) -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '\\n\\nAssistant:' -}}
{%- endif -%}
";

/// Source of the built-in template of this name.
pub(super) fn source(name: &str) -> Option<&'static str> {
    match name {
        "chatml" => Some(CHATML),
        "plain" => Some(PLAIN),
        _ => None,
    }
}
