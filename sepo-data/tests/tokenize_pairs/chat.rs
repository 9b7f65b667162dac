//! Conversations: where the prompt ends.

use crate::fixture::{Kind, chat, model_dir, pair, text, wide};
use sepo_data::{
    Message, PairContent, PairPart, PairTokenizer, PreferencePair, SkipReason, TemplateChoice, TextHandling,
    TokenizeConfig, TokenizeError,
};

fn with_template(template: &str) -> PairTokenizer {
    PairTokenizer::from_model_dir(model_dir(Kind::ByteLevel, Some(template)).path(), &wide()).unwrap()
}

/// Prompt, chosen and rejected as text.
fn parts(tokenizer: &PairTokenizer, pair: &PreferencePair) -> [String; 3] {
    let texts = tokenizer.texts(pair).unwrap().unwrap();
    [texts.prompt, texts.chosen, texts.rejected]
}

#[test]
fn the_prompt_ends_in_the_assistant_s_header() {
    let tokenizer = with_template(
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}\
         {% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}\
         {% if add_generation_prompt %}[assistant]{% endif %}",
    );
    let pair = chat("the", "yes", "no");
    assert_eq!(parts(&tokenizer, &pair), ["<s>[user]the[assistant]", "yes</s>", "no</s>"]);
    let encoded = tokenizer.encode(&pair).unwrap();
    let bos = tokenizer.special_tokens().bos.unwrap().id;
    assert_eq!(encoded.pair.prompt_ids.iter().filter(|id| **id == bos).count(), 1);
    assert_eq!(tokenizer.decode(&encoded.pair.chosen.ids).unwrap(), "yes</s>");
}

#[test]
fn a_line_break_after_the_closing_token_is_dropped() {
    let tokenizer = with_template(
        "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '</s>\\n' }}{% endfor %}\
         {% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}",
    );
    let encoded = tokenizer.encode(&chat("the", "yes", "no")).unwrap();
    assert_eq!(tokenizer.decode(&encoded.pair.chosen.ids).unwrap(), "yes</s>");
    assert_eq!(encoded.notes.chosen.n_dropped_bytes, 1);
    assert_eq!(tokenizer.decode(&encoded.pair.prompt_ids).unwrap(), "<s>[user]the</s>\n[assistant]");
}

#[test]
fn thoughts_in_the_generation_prompt_only_are_no_part_of_the_prompt() {
    let tokenizer = with_template(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}\
         {% if add_generation_prompt %}<assistant><think></think>{% endif %}",
    );
    assert_eq!(parts(&tokenizer, &chat("the", "yes", "no")), ["<user>the<assistant>", "yes", "no"]);
}

#[test]
fn thoughts_in_the_answer_only_are_part_of_it() {
    let tokenizer = with_template(
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<think></think>{% endif %}\
         {{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    );
    let expected = ["<user>the<assistant>", "<think></think>yes", "<think></think>no"];
    assert_eq!(parts(&tokenizer, &chat("the", "yes", "no")), expected);
}

#[test]
fn without_a_generation_prompt_the_header_still_belongs_to_the_prompt() {
    let tokenizer = with_template("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}");
    assert_eq!(
        parts(&tokenizer, &chat("the", "same", "same too")),
        ["<user>the<assistant>", "same", "same too"]
    );
}

#[test]
fn a_template_that_rewrites_the_prompt_is_told_with_the_place() {
    let tokenizer = with_template(
        "{% for m in messages %}{% if m.content == 'no' %}changed{% else %}{{ messages[0].content }}{% endif %}\
         {% endfor %}{% if messages[-1].content == 'no' %}x{% endif %}",
    );
    let swaps = with_template("{{ messages[-1].content }}{% if add_generation_prompt %}:{% endif %}");
    let reason = swaps.encode(&chat("prompt", "prompt and", "promise")).unwrap_err();
    assert!(
        matches!(&reason, SkipReason::TemplateDiverges { part: PairPart::Rejected, at_byte: 4, expected, found }
            if expected == "pt" && found == "ise"),
        "{reason}"
    );
    assert!(tokenizer.encode(&chat("the", "yes", "no")).is_ok());
}

#[test]
fn refusals_and_missing_templates_are_reasons() {
    let refuses = with_template("{{ raise_exception('no system') }}");
    let reason = refuses.encode(&chat("the", "yes", "no")).unwrap_err();
    assert!(matches!(reason, SkipReason::Template { part: PairPart::Prompt, .. }));
    let cause = std::error::Error::source(&reason).unwrap();
    assert!(cause.to_string().ends_with("no system"), "{cause}");
    let none = PairTokenizer::from_model_dir(model_dir(Kind::ByteLevel, None).path(), &wide()).unwrap();
    assert!(matches!(none.encode(&chat("the", "yes", "no")), Err(SkipReason::NoTemplate)));
    let empty = with_template("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}");
    let reason = empty.encode(&chat("the", "yes", "")).unwrap_err();
    assert!(matches!(reason, SkipReason::EmptySide { part: PairPart::Rejected }));
}

#[test]
fn plain_text_can_be_wrapped() {
    let dir = model_dir(Kind::ByteLevel, None);
    let config = TokenizeConfig { text: TextHandling::AsChat, ..wide() };
    assert!(matches!(PairTokenizer::from_model_dir(dir.path(), &config), Err(TokenizeError::NoTemplate)));
    let config = TokenizeConfig { template: TemplateChoice::Builtin("plain".into()), ..config };
    let tokenizer = PairTokenizer::from_model_dir(dir.path(), &config).unwrap();
    assert_eq!(parts(&tokenizer, &text("the", "yes", "no")), ["\n\nHuman: the\n\nAssistant:", " yes", " no"]);
    assert!(tokenizer.template_hash().is_some() && tokenizer.tokenizer_hash().is_some());
    let ids = tokenizer.encode_chat(&[Message { role: "user".into(), content: "the".into() }]).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), "<s>\n\nHuman: the\n\nAssistant:");
}

#[test]
fn several_turns_of_a_response_are_one_response() {
    let turn = |role: &str, content: &str| Message { role: role.into(), content: content.into() };
    let conversation = pair(PairContent::Chat {
        prompt: vec![turn("user", "a")],
        chosen: vec![turn("assistant", "b"), turn("user", "c"), turn("assistant", "d")],
        rejected: vec![turn("assistant", "e")],
    });
    let config = TokenizeConfig { template: TemplateChoice::Builtin("chatml".into()), ..wide() };
    let tokenizer = PairTokenizer::from_model_dir(model_dir(Kind::ByteLevel, None).path(), &config).unwrap();
    let [prompt, chosen, _] = parts(&tokenizer, &conversation);
    assert_eq!(prompt, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
    assert!(chosen.starts_with("b<|im_end|>\n<|im_start|>user\nc") && chosen.ends_with("d<|im_end|>\n"));
}
