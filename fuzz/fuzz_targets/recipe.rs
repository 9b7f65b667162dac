//! The recipe: any text as its file, and a line of it as an override.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sepo_fuzz::watched;

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        let Ok(text) = std::str::from_utf8(data) else { return };
        // Overrides stand before the recipe, each behind a `!`.
        let overrides: Vec<String> =
            text.lines().map_while(|line| line.strip_prefix('!')).map(str::to_owned).collect();
        let start = overrides.iter().map(|line| line.len() + 2).sum::<usize>().min(text.len());
        let text = text.get(start..).unwrap_or_default();
        if let Err(message) = sepo_cli::check_recipe(text, &overrides) {
            assert!(!message.is_empty());
        }
    });
});
