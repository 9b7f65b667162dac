//! Of what a share is taken.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// Of each response
    Response,
    /// Of that side of `--batch-pairs` pairs that follow each other; pairs left without a token are dropped
    Batch,
    /// Of all responses of that side together; pairs left without a token are dropped
    DataSet,
    /// Of all responses of that side that are about as long, from 2^i to 2^(i + 1) - 1 tokens
    Length,
}
