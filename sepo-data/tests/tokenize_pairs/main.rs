//! Tokenization of pairs: every rule that `PairTokenizer` states, on trained and on real tokenizers.

#[cfg(test)]
mod chat;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod real;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod spans;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod vectors;
