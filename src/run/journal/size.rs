//! How many bytes a value takes as JSON, without ever having them.

use std::io::Write;

use serde::Serialize;

/// The length of a value's JSON, in bytes.
///
/// # Errors
///
/// The value cannot be written as JSON.
pub(super) fn json_len(value: &impl Serialize) -> serde_json::Result<usize> {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value)?;
    Ok(counter.0)
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_text() {
        let value = serde_json::json!({ "a": [1, 2.5, "ü\n"], "b": null });
        assert_eq!(json_len(&value).unwrap(), value.to_string().len());
    }
}
