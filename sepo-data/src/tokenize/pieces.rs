//! The bytes that each token stands for.

use tokenizers::{ModelWrapper, Tokenizer};

/// Ids from here on get no bytes: a file that names id 4294967295 must not cost the memory of a table up to it.
const MAX_IDS: u32 = 1 << 24;

/// How a vocabulary spells bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// GPT-2's alphabet: one printable character a byte.
    ByteLevel,
    /// SentencePiece's: `▁` for a space, and `<0xE2>` for a byte where `bytes` is set.
    Metaspace { bytes: bool },
    /// Text as it is.
    Plain { bytes: bool },
}

/// The bytes of every id, in one buffer.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Id `i` has `bytes[ends[i]..ends[i + 1]]`.
    ends: Vec<usize>,
}

impl Pieces {
    /// Reads the vocabulary, added tokens included; those are spelled as text.
    pub(super) fn new(tokenizer: &Tokenizer) -> Self {
        let spelling = spelling(tokenizer);
        let alphabet = byte_alphabet();
        let added = tokenizer.get_added_tokens_decoder();
        let mut tokens: Vec<(u32, String)> = tokenizer
            .get_vocab(true)
            .into_iter()
            .map(|(token, id)| (id, token))
            .filter(|(id, _)| *id < MAX_IDS)
            .collect();
        tokens.sort_unstable();
        let mut pieces = Self { bytes: Vec::new(), ends: vec![0] };
        for (id, token) in tokens {
            // Ids without a token have no bytes; of two tokens with one id the first counts.
            while pieces.ends.len() <= id as usize {
                pieces.ends.push(pieces.bytes.len());
            }
            if pieces.ends.len() == id as usize + 1 {
                match added.get(&id) {
                    Some(token) => pieces.bytes.extend_from_slice(token.content.as_bytes()),
                    None => spelling.append(&token, &alphabet, &mut pieces.bytes),
                }
                pieces.ends.push(pieces.bytes.len());
            }
        }
        pieces
    }

    /// The bytes of an id, `None` above the vocabulary.
    pub(super) fn get(&self, id: u32) -> Option<&[u8]> {
        let id = usize::try_from(id).ok()?;
        self.bytes.get(*self.ends.get(id)?..*self.ends.get(id + 1)?)
    }

    /// The highest id, `None` for an empty vocabulary.
    pub(super) fn max_id(&self) -> Option<u32> {
        u32::try_from(self.ends.len().checked_sub(2)?).ok()
    }
}

impl Spelling {
    fn append(self, token: &str, alphabet: &[Option<u8>], out: &mut Vec<u8>) {
        let (is_metaspace, has_bytes) = match self {
            Self::ByteLevel => {
                let start = out.len();
                for c in token.chars() {
                    match alphabet.get(c as usize).copied().flatten() {
                        Some(byte) => out.push(byte),
                        None => {
                            // A token that is not in the alphabet was spelled as text.
                            out.truncate(start);
                            out.extend_from_slice(token.as_bytes());
                            return;
                        }
                    }
                }
                return;
            }
            Self::Metaspace { bytes } => (true, bytes),
            Self::Plain { bytes } => (false, bytes),
        };
        match byte_fallback(token) {
            Some(byte) if has_bytes => out.push(byte),
            _ if is_metaspace => out.extend_from_slice(token.replace('▁', " ").as_bytes()),
            _ => out.extend_from_slice(token.as_bytes()),
        }
    }
}

/// The byte of a `<0xE2>` token.
fn byte_fallback(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}

/// Told by the parts that the tokenizer is built of: whoever writes or reads the alphabet names it.
fn spelling(tokenizer: &Tokenizer) -> Spelling {
    let parts = [
        serde_json::to_string(&tokenizer.get_normalizer()),
        serde_json::to_string(&tokenizer.get_pre_tokenizer()),
        serde_json::to_string(&tokenizer.get_decoder()),
    ];
    let names = |word: &str| parts.iter().flatten().any(|part| part.contains(word));
    let bytes = match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.byte_fallback,
        ModelWrapper::Unigram(model) => model.byte_fallback(),
        _ => false,
    };
    match () {
        () if names("\"ByteLevel\"") => Spelling::ByteLevel,
        () if names("\"Metaspace\"") || names("▁") => Spelling::Metaspace { bytes },
        () => Spelling::Plain { bytes },
    }
}

/// The letter of GPT-2's alphabet for each byte.
pub(super) fn letters() -> [char; 256] {
    let mut letters = ['\0'; 256];
    for (letter, byte) in ('\0'..).zip(byte_alphabet()) {
        if let Some(byte) = byte {
            letters[usize::from(byte)] = letter;
        }
    }
    letters
}

/// Which byte a character of GPT-2's alphabet stands for: printable Latin-1 for itself, the others from U+0100 on.
fn byte_alphabet() -> Vec<Option<u8>> {
    let mut alphabet = vec![None; 0x144];
    let mut next = 0x100;
    for byte in 0..=u8::MAX {
        let is_itself = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let c = if is_itself { usize::from(byte) } else { next };
        next += usize::from(!is_itself);
        alphabet[c] = Some(byte);
    }
    alphabet
}
