//! Chat templates: what they may use, and that real ones render as in transformers.

#[cfg(test)]
mod render;
#[cfg(test)]
mod vectors;
