//! One JSON text of an archive as a value that every other reader would see alike, and that is small
//! enough to be held.
//!
//! ## Why
//!
//! - JSON allows a name twice in one object, and readers disagree about what that means: some take the
//!   first, some the last, Go joins the two. Whoever wants a selection to see one object and a server
//!   another writes it so. No API server ever gave out such an object, so it is refused.
//! - `serde_json` bounds the depth and not the width: two bytes of `0,` become 32 bytes of memory, and
//!   six of a short member become a hundred.
//! - Its own type for values also reads a member of a secret name as JSON inside of JSON.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::limits::JSON_VALUES_MAX;

/// Reads one text.
pub(super) fn value(text: &[u8]) -> Result<Value, serde_json::Error> {
    let left = Cell::new(JSON_VALUES_MAX);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict { left: &left }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// How many values may still come.
#[derive(Clone, Copy)]
struct Strict<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        let too_many = || D::Error::custom(format!("it has more than {JSON_VALUES_MAX} values"));
        self.left.set(left.ok_or_else(too_many)?);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is none"));
        number.map(Value::Number)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("{name:?} is there twice")));
            }
            map.insert(name, members.next_value_seed(self)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_json_reads_is_read_alike() {
        for text in [
            r#"{"a": [1, -1, 18446744073709551615, 0.1, 1e300, true, false, null, "ä\n"], "b": {"c": {}}}"#,
            "[]",
            "\"\"",
            " 7 ",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_readers_would_see_differently_is_refused() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "\u0061": 2}}]"#] {
            let error = value(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("\"a\" is there twice"), "{error}");
        }
        assert!(value(b"{} {}").is_err());
        let secret = br#"{"$serde_json::private::RawValue": "7"}"#;
        assert!(value(secret).unwrap().is_object());
    }

    #[test]
    fn the_width_is_bounded() {
        let wide = |count: usize| format!("[{}0]", "0,".repeat(count - 2));
        assert!(value(wide(JSON_VALUES_MAX).as_bytes()).is_ok());
        let error = value(wide(JSON_VALUES_MAX + 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }
}
