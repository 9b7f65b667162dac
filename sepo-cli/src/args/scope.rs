//! Of what a share is taken.

use clap::ValueEnum;
use sepo_select::Scope;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeArg {
    /// Of each response
    Response,
    /// Of all responses of that side together; pairs left without a token are dropped
    DataSet,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Response => Self::Response,
            ScopeArg::DataSet => Self::DataSet,
        }
    }
}
