//! Lists that are read one item at a time.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

/// Reads a list and hands over each item as soon as it is read: a long list is never in memory as items. `what` says
/// what is listed, in an error.
///
/// # Errors
///
/// There is no list, an item cannot be read, or `take` refuses one, in whose words.
pub fn each<'de, D, T, F>(deserializer: D, what: &'static str, take: F) -> Result<(), D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), String>,
{
    deserializer.deserialize_seq(Each {
        what,
        take,
        item: PhantomData,
    })
}

struct Each<T, F> {
    what: &'static str,
    take: F,
    item: PhantomData<T>,
}

impl<'de, T, F> Visitor<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {}", self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element()? {
            (self.take)(item).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
