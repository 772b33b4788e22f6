//! What HTML and SVG have in common: escaping and colours.

use crate::report::lines::clean;

/// Text for an element or a quoted attribute of HTML or XML. Characters that XML forbids or that
/// turn text around are replaced first.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Colours by meaning, for light and dark screens; paper is always light. Every pair of ink and
/// ground has a contrast of at least 4.5 to 1.
pub(crate) const PALETTE: &str = "\
:root{--ground:#ffffff;--panel:#f5f7fa;--ink:#18202b;--soft:#56616f;--line:#ccd3dc;\
--good:#17663a;--bad:#b3261e;--doubt:#875700;--neutral:#1f4e8c;--muted:#5f6a78;\
--good-fill:#e3f3e9;--bad-fill:#fce8e6;--doubt-fill:#fdf1d8;--neutral-fill:#e6eefa;--muted-fill:#eef1f5}\
@media screen and (prefers-color-scheme:dark){:root{--ground:#12161c;--panel:#1a2028;--ink:#e7eaef;--soft:#a3adba;--line:#39434f;\
--good:#6fd09a;--bad:#ff9489;--doubt:#f0bf63;--neutral:#8fbcff;--muted:#98a3b1;\
--good-fill:#17301f;--bad-fill:#3a1b19;--doubt-fill:#35290f;--neutral-fill:#182842;--muted-fill:#20262e}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_an_element_or_an_attribute() {
        let escaped = escape("<a href=\"x\" title='y'>&\u{1}\u{ffff}");
        assert_eq!(
            escaped,
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }
}
