//! Words of a shell, for commands that people copy.

/// A text as one word of a shell, so that what is copied does what it shows.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_word_stays_one_word_whatever_is_in_it() {
        let words = ["west", "s3://a/b", "", "a b", "it's", "$(reboot)", "a;b"].map(shell_word);
        assert_eq!(
            words,
            [
                "west",
                "s3://a/b",
                "''",
                "'a b'",
                "'it'\\''s'",
                "'$(reboot)'",
                "'a;b'"
            ]
        );
    }
}
