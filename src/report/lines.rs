//! Text for a terminal: made harmless, measured in columns, cut, padded and wrapped.
//!
//! ## Why
//!
//! Names and messages come from clusters and servers. One that holds an escape sequence must not
//! move the cursor or recolour a verdict, so everything passes through [`clean`] on its way out.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Replaces what could steer a terminal or turn a line around: control characters and the marks of
/// bidirectional text. Line breaks become ` / `.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => out.push_str(" / "),
            '\r' => {}
            '\t' => out.push(' '),
            c if c.is_control() || turns_text(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character changes the direction of the text around it (or hides as nothing).
pub(crate) const fn turns_text(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What `one` writes about each item, one after the other.
pub(crate) fn each<T>(items: impl IntoIterator<Item = T>, one: impl Fn(T) -> String) -> String {
    let mut out = String::new();
    for item in items {
        out.push_str(&one(item));
    }
    out
}

/// The lines as a text, with a line break at its end.
pub(crate) fn text(lines: &[String]) -> String {
    let mut out = lines.join("\n");
    out.push('\n');
    out
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text in at most so many columns, with `…` where something was cut away.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (head, _) = split_at(text, columns.saturating_sub(1));
    if columns == 0 {
        String::new()
    } else {
        format!("{head}…")
    }
}

/// The text with spaces behind it up to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The text in lines of at most so many columns, broken at spaces where there are any.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in words(text) {
        let mut rest = word.to_owned();
        let fits = |line: &str, word: &str| width(line) + width(word.trim_end()) <= columns;
        if !lines.last().is_some_and(|line| fits(line, &rest)) && lines.last() != Some(&String::new()) {
            lines.push(String::new());
        }
        while width(rest.trim_end()) > columns {
            let (head, tail) = split_at(&rest, columns);
            lines.pop_if(|line| line.is_empty());
            lines.extend([head.to_owned(), String::new()]);
            rest = tail.to_owned();
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&rest);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The text with a number and its unit held together, for pages that wrap by themselves.
pub(crate) fn glue(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let held = c == ' ' && goes_on(&text[..=at], &text[at + 1..]);
        out.push(if held { '\u{a0}' } else { c });
    }
    out
}

/// A label and a text that is wrapped behind it: continuation lines stand under the text.
pub(crate) fn hang(label: &str, text: &str, columns: usize) -> String {
    let indent = width(label);
    let lines = wrap(text, columns.saturating_sub(indent));
    format!("{label}{}", lines.join(&format!("\n{}", " ".repeat(indent))))
}

/// A text at the left and one at the right edge of a line; on two lines if they do not fit on one.
pub(crate) fn ends(left: &str, right: &str, columns: usize) -> String {
    let used = width(left) + width(right);
    if used + 2 > columns {
        format!("{left}\n  {right}")
    } else {
        format!("{left}{}{right}", " ".repeat(columns - used))
    }
}

/// Words with the spaces that follow them, so that double spaces survive inside a line. A number
/// and its unit are one word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = word_end(rest, 0);
        while rest[..end].ends_with(' ') && goes_on(&rest[..end], &rest[end..]) {
            end = word_end(rest, end);
        }
        let (head, tail) = rest.split_at(end);
        rest = tail;
        (!head.is_empty()).then_some(head)
    })
}

/// The end of the word that begins at `from`, with the spaces behind it.
fn word_end(text: &str, from: usize) -> usize {
    let word = text[from..].find(' ').map_or(text.len(), |at| from + at);
    text[word..].find(|c| c != ' ').map_or(text.len(), |at| word + at)
}

/// Whether `after` goes on with a duration that `before` has begun: `12 ` and `m`, `12 m ` and `7 s`.
fn goes_on(before: &str, after: &str) -> bool {
    let Some(before) = before.strip_suffix(' ') else {
        return false;
    };
    let word = |text: &str| {
        text.split([' ', ',', ';', '.', ')'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let (number, rest) = after.split_once(' ').unwrap_or((after, ""));
    let last = before.rsplit([' ', '\u{a0}']).next().unwrap_or_default();
    if is_unit(last) {
        return is_number(number) && is_unit(&word(rest));
    }
    before.ends_with(|c: char| c.is_ascii_digit()) && is_unit(&word(after))
}

fn is_unit(word: &str) -> bool {
    matches!(word, "ms" | "s" | "m" | "h" | "d")
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_digit())
}

/// Splits after at most so many columns, never within a character and never before the first.
fn split_at(text: &str, columns: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_server_cannot_steer_the_terminal() {
        assert_eq!(
            clean("ok\u{1b}[2K\rdone\nmore\u{202e}"),
            "ok\u{fffd}[2Kdone / more\u{fffd}"
        );
    }

    #[test]
    fn wide_characters_count_twice_when_cutting() {
        assert_eq!(cut("日本語サイト", 7), "日本語…");
        assert_eq!(cut("short", 7), "short");
        assert_eq!(cut("anything", 0), "");
    }

    #[test]
    fn a_number_keeps_its_unit_on_the_same_line() {
        assert_eq!(wrap("it took 12 m, then", 10), ["it took", "12 m, then"]);
        assert_eq!(
            wrap("it took 12 m 7 s of 15 m", 14),
            ["it took", "12 m 7 s of", "15 m"]
        );
        assert_eq!(glue("after 12 m 7 s."), "after 12\u{a0}m\u{a0}7\u{a0}s.");
    }

    #[test]
    fn long_text_hangs_under_its_beginning() {
        insta::assert_snapshot!(hang("  note  ", "one two three four five six", 20), @r"
          note  one two
                three four
                five six
        ");
    }

    proptest! {
        #[test]
        fn wrapping_loses_nothing_and_never_exceeds_the_width(text in "[a-zé日 ]{0,80}", columns in 2_usize..30) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns));
            let squeeze = |text: &str| text.replace(' ', "");
            prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
        }
    }
}
