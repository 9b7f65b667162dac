//! Filters that keep the values of a template small. A template cannot name them: there is a minus in their names.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Around what makes a value that holds others: refuses one that is too large or too deep.
pub(super) const BOUNDED: &str = "sepo-bounded";
/// Around what is added: as [`BOUNDED`], of a list in place of an iterator over two, which the engine makes of their sum.
pub(super) const SUMMED: &str = "sepo-summed";
/// Around a value that a namespace comes to hold: refuses namespaces, which could come to hold themselves.
pub(super) const STORED: &str = "sepo-stored";
/// Around what is compared: costs as many steps as there is to compare.
pub(super) const WEIGHED: &str = "sepo-weighed";
/// Around what is multiplied: refuses lists.
pub(super) const FLAT: &str = "sepo-flat";

/// Most levels of lists and maps in one another.
const MAX_DEPTH: usize = 100;
/// Bytes of text that weigh as much as a value.
const BYTES_PER_VALUE: usize = 64;
/// Steps of work that allow for one value more in a list.
const STEPS_PER_VALUE: u64 = 8;

/// Adds the filters to an environment whose templates may take `fuel` steps.
pub(super) fn add_filters(environment: &mut Environment<'_>, fuel: u64) {
    let limit = usize::try_from(fuel / STEPS_PER_VALUE).unwrap_or(usize::MAX);
    environment.add_filter(BOUNDED, move |state: &State<'_, '_>, value: Value| bounded(state, value, limit));
    environment.add_filter(SUMMED, move |state: &State<'_, '_>, value: Value| {
        if value.kind() != ValueKind::Iterable {
            return bounded(state, value, limit);
        }
        // Iterators over iterators take nothing, however much they give: a hundred sums would give 2^100 values.
        let items: Vec<Value> = value.try_iter()?.take(limit + 1).collect();
        bounded(state, Value::from(items), limit)
    });
    environment.add_filter(STORED, move |value: Value| {
        if holds_namespace(&value, limit)? {
            return Err(invalid("a namespace cannot hold a namespace"));
        }
        Ok::<_, Error>(value)
    });
    environment.add_filter(WEIGHED, move |state: &State<'_, '_>, value: Value| {
        if holds_others(&value) {
            state.consume_fuel(weight(&value, limit)? as u64)?;
        }
        Ok::<_, Error>(value)
    });
    environment.add_filter(FLAT, |value: Value| match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            Err(invalid("a list cannot be multiplied in a chat template"))
        }
        _ => Ok(value),
    });
}

/// The value, where it is small enough.
fn bounded(state: &State<'_, '_>, value: Value, limit: usize) -> Result<Value, Error> {
    if holds_others(&value) {
        let weight = weight(&value, limit)?;
        state.consume_fuel((weight / BYTES_PER_VALUE) as u64)?;
    }
    Ok(value)
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail.into())
}

/// Whether a value is a list or a map. What an iterator will give is looked at when it is put into one.
fn holds_others(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map)
}

/// How many values there are in `value`, itself included, each counted as often as it is held; text counts by its length.
fn weight(value: &Value, limit: usize) -> Result<usize, Error> {
    let mut weight = 0usize;
    walk(value, |value| {
        weight = weight.saturating_add(1 + value.as_str().map_or(0, str::len) / BYTES_PER_VALUE);
        if weight > limit {
            return Err(invalid(format!(
                "a list or map holds more than {limit} values, nested ones included"
            )));
        }
        Ok(())
    })?;
    Ok(weight)
}

fn holds_namespace(value: &Value, limit: usize) -> Result<bool, Error> {
    let mut n_seen = 0;
    let mut is_found = false;
    walk(value, |value| {
        n_seen += 1;
        is_found |= value.as_object().is_some_and(|object| object.type_name().contains("Namespace"));
        // Beyond the limit the value is refused for its size.
        if n_seen > limit { Err(invalid(format!("a value holds more than {limit} others"))) } else { Ok(()) }
    })?;
    Ok(is_found)
}

/// Visits `value` and all that is in it, without recursion.
fn walk(value: &Value, mut visit: impl FnMut(&Value) -> Result<(), Error>) -> Result<(), Error> {
    visit(value)?;
    let mut open = Vec::new();
    let mut next = Some(value.clone());
    loop {
        if let Some(value) = next.take()
            && matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
        {
            if open.len() == MAX_DEPTH {
                return Err(invalid(format!("lists or maps nested more than {MAX_DEPTH} deep")));
            }
            let map = (value.kind() == ValueKind::Map).then(|| value.clone());
            open.push((value.try_iter()?, map));
        }
        let Some((items, map)) = open.last_mut() else { return Ok(()) };
        match items.next() {
            Some(item) => {
                visit(&item)?;
                let item = match map {
                    Some(map) => map.get_item(&item)?,
                    None => item,
                };
                if map.is_some() {
                    visit(&item)?;
                }
                next = Some(item);
            }
            None => drop(open.pop()),
        }
    }
}
