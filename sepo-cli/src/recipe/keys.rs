//! Keys that there are, and those that there are not.

use toml::de::{DeTable, DeValue};

use super::mistake::{Located, Mistake};
use super::nearest::nearest;
use super::sections::{SECTIONS, Section};
use super::source::Sources;

/// Refuses the first section or key that does not exist.
pub(super) fn check(root: &DeTable<'_>, sources: &Sources, sections: &[Section]) -> Result<(), Located> {
    for (section, value) in root {
        let name = section.get_ref().as_ref();
        let Some(known) = sections.iter().find(|known| known.name == name) else {
            return Err(unknown_section((name, value.get_ref().is_table()), sections, |mistake| {
                sources.locate(mistake, section.span(), format!("no section of the {}", sources.what))
            }));
        };
        let DeValue::Table(table) = value.get_ref() else {
            let mistake = Mistake::NotASection { section: name.to_owned() };
            return Err(sources.locate(mistake, section.span(), "has a value of its own"));
        };
        let keys = (known.keys)();
        for (key, _) in table {
            if !keys.iter().any(|known| known == key.get_ref().as_ref()) {
                let mistake = Mistake::UnknownKey { key: format!("{name}.{}", key.get_ref()) };
                let located = sources.locate(mistake, key.span(), format!("no key of `[{name}]`"));
                return Err(located.with_help(suggestion(name, key.get_ref(), &keys)));
            }
        }
    }
    Ok(())
}

fn unknown_section(
    (name, is_table): (&str, bool),
    sections: &[Section],
    locate: impl FnOnce(Mistake) -> Located,
) -> Located {
    let names = sections.iter().map(|section| section.name);
    let all = names.clone().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ");
    let help = match nearest(name, names) {
        Some(near) if is_table => format!("did you mean `[{near}]`? there are {all}"),
        _ => match owner(name, "").filter(|owner| sections.iter().any(|known| known.name == *owner)) {
            Some(owner) => format!("it belongs below `[{owner}]`"),
            None => format!("there are {all}"),
        },
    };
    locate(Mistake::UnknownKey { key: name.to_owned() }).with_help(help)
}

fn suggestion(section: &str, key: &str, keys: &[String]) -> String {
    if let Some(owner) = owner(key, section) {
        return format!("`{key}` belongs to `[{owner}]`");
    }
    match nearest(key, keys.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{section}.{near}`?"),
        None => format!("`[{section}]` has {}", keys.join(", ")),
    }
}

/// Another section that has the key.
fn owner(key: &str, besides: &str) -> Option<&'static str> {
    let has =
        |section: &&Section| section.name != besides && (section.keys)().iter().any(|known| known == key);
    SECTIONS.iter().find(has).map(|section| section.name)
}
