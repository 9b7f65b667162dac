//! A rule as people write it: by name where its defaults will do, or with its settings.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Rule;
use crate::weigh::{Affine, ChangePoints, Decay, ExpClamp, RankLinear};

/// The rule that a name alone stands for, of those that have settings with defaults.
fn with_defaults(name: &str) -> Option<Rule> {
    match name {
        "asr" => Some(Rule::Asr(ChangePoints::default())),
        "tis" => Some(Rule::Tis(ExpClamp::default())),
        "tis-rank" => Some(Rule::TisRank(RankLinear::default())),
        "tgdpo" => Some(Rule::Tgdpo(Affine::default())),
        "d2po" => Some(Rule::D2po(Decay::default())),
        _ => None,
    }
}

/// A rule by name, or a table of its name and its settings.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
    deserializer.deserialize_any(RuleVisitor)
}

struct RuleVisitor;

impl<'de> Visitor<'de> for RuleVisitor {
    type Value = Rule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a rule, or a table of its name and its settings")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Rule, E> {
        match with_defaults(name) {
            Some(rule) => Ok(rule),
            None => Rule::deserialize(StrDeserializer::<E>::new(name)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
        Rule::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use crate::SelectConfig;
    use crate::weigh::ExpClamp;

    use super::*;

    #[test]
    fn a_name_stands_for_the_defaults_and_a_table_for_settings() {
        let read = |rule: &str| {
            serde_json::from_str::<SelectConfig>(&format!(r#"{{"rule": {rule}}}"#)).map(|config| config.rule)
        };
        assert_eq!(read("\"tis\"").unwrap(), Rule::Tis(ExpClamp::default()));
        assert_eq!(
            read("{\"tis\": {\"mu\": 3}}").unwrap(),
            Rule::Tis(ExpClamp { mu: 3.0, ..Default::default() })
        );
        assert_eq!(read("\"t-reg\"").unwrap(), Rule::TReg);
        assert_eq!(read("{\"quantile\": {\"q\": 0.5}}").unwrap(), Rule::Quantile { q: 0.5 });
        for wrong in ["\"best\"", "{\"tis\": {\"nu\": 3}}", "{\"ld-dpo\": {}}", "\"ld-dpo\"", "3"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let unknown = read("\"best\"").unwrap_err().to_string();
        assert!(unknown.contains("`salience`") && unknown.contains("`tis-rank`"), "{unknown}");
    }
}
