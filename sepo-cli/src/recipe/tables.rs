//! The text of a file of settings, and its sections one after the other.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::mistake::Located;
use super::place::Places;

/// Most bytes of a recipe.
const MAX_BYTES: u64 = 1 << 20;

pub(super) fn text_of(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        let reason = format!("it has more than {MAX_BYTES} bytes, which no recipe has");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(text)
}

/// Sections that have not been read yet.
pub(super) struct Tables<'t, 'i, 'p> {
    pub(super) root: &'t mut DeTable<'i>,
    pub(super) places: &'p Places,
}

impl Tables<'_, '_, '_> {
    /// Everything that is left of a section.
    pub(super) fn whole<T: DeserializeOwned>(&mut self, section: &str) -> Result<T, Located> {
        let table = match self.root.remove(section).map(|value| (value.span(), value.into_inner())) {
            Some((span, DeValue::Table(table))) => Spanned::new(span, table),
            _ => Spanned::new(0..0, DeTable::new()),
        };
        T::deserialize(Deserializer::from(table)).map_err(|error| self.places.unreadable(section, &error))
    }

    /// The keys of a section that `names` lists, taken out of it.
    pub(super) fn part<T: DeserializeOwned>(
        &mut self,
        section: &str,
        names: &[String],
    ) -> Result<T, Located> {
        let mut part = DeTable::new();
        let mut span = 0..0;
        if let Some(value) = self.root.get_mut(section) {
            span = value.span();
            if let DeValue::Table(table) = value.get_mut() {
                part.extend(names.iter().filter_map(|name| table.remove_entry(name.as_str())));
            }
        }
        T::deserialize(Deserializer::from(Spanned::new(span, part)))
            .map_err(|error| self.places.unreadable(section, &error))
    }
}
