//! Real templates render as transformers renders them.

use std::path::{Path, PathBuf};

use sepo_data::{ChatTemplate, GenerationPrompt, Message};
use serde_json::Value;

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

fn renders_every_row(name: &str) {
    let Some(vectors) = shared(&format!("vectors/chat_{name}.json")) else { return };
    let Some(dir) = shared(&format!("tokenizers/{name}")) else { return };
    let template = ChatTemplate::from_model_dir(&dir).unwrap();
    let vectors: Value = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let rows = vectors["rows"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let messages = row["messages"].as_array().unwrap();
        let prompt = match row["add_generation_prompt"].as_bool().unwrap() {
            true => GenerationPrompt::Add,
            false => GenerationPrompt::Omit,
        };
        assert_eq!(template.render_json(messages, prompt).unwrap(), row["text"].as_str().unwrap());
        if let Ok(messages) = serde_json::from_value::<Vec<Message>>(row["messages"].clone()) {
            assert_eq!(template.render(&messages, prompt).unwrap(), row["text"].as_str().unwrap());
        }
    }
}

#[test]
fn minimind_renders_as_in_transformers() {
    renders_every_row("minimind");
}

#[test]
fn qwen_renders_as_in_transformers() {
    renders_every_row("qwen2.5");
}

#[test]
fn tool_calls_render_as_python_writes_json() {
    let Some(dir) = shared("tokenizers/qwen2.5") else { return };
    let template = ChatTemplate::from_model_dir(&dir).unwrap();
    let messages = serde_json::json!([
        {"role": "system", "content": "S"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": {"name": "f", "arguments": {"z": "<é>", "a": [1, 2.0, null]}}}
        ]},
        {"role": "tool", "content": "42"},
    ]);
    let text = template.render_json(messages.as_array().unwrap(), GenerationPrompt::Omit).unwrap();
    assert!(
        text.contains("{\"name\": \"f\", \"arguments\": {\"z\": \"<é>\", \"a\": [1, 2.0, null]}}"),
        "{text}"
    );
    assert!(text.ends_with("<|im_start|>user\n<tool_response>\n42\n</tool_response><|im_end|>\n"), "{text}");
}
