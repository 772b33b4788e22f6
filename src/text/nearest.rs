//! Which known name a mistyped one was meant to be, and how a name is quoted in a message.

/// Longer names are never compared: nobody mistypes them, and a file could hold a megabyte of them.
const COMPARED_MAX: usize = 64;

/// How much of a name is shown in a message.
const QUOTED_MAX: usize = 60;

/// The known name nearest to what was written, if one is near enough to be meant: at most a third of
/// its letters are wrong, missing, too many or swapped with a neighbour. Case does not count. Of several
/// equally near ones, the first.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > COMPARED_MAX {
        return None;
    }
    let letters = lower(written);
    let limit = (letters.len() / 3).max(1);
    let near = |name: &'a str| {
        let apart = name.len().abs_diff(written.len());
        // A letter has at most four bytes.
        if name.len() > COMPARED_MAX || apart > 4 * limit {
            return None;
        }
        let distance = distance(&letters, &lower(name));
        (distance <= limit && distance < letters.len()).then_some((distance, name))
    };
    let nearest = known
        .into_iter()
        .filter_map(near)
        .min_by_key(|(distance, _)| *distance);
    nearest.map(|(_, name)| name)
}

/// A name between backticks, safe to print: what cannot be seen is escaped, what is long is cut.
pub fn quote(name: &str) -> String {
    let mut shown: String = name.chars().take(QUOTED_MAX).flat_map(visible).collect();
    if name.chars().nth(QUOTED_MAX).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn visible(letter: char) -> Vec<char> {
    if letter.is_control() || is_invisible(letter) {
        letter.escape_unicode().collect()
    } else {
        vec![letter]
    }
}

/// Marks that turn the direction of text around or take no room: a message must not look like another.
const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn lower(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut row = before.clone();
    for (i, left) in a.iter().enumerate() {
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(left != right);
            let mut cost = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
        }
        // The oldest row is written over next.
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_recognised() {
        let known = ["needs", "modes", "restore", "timeout", "retry"];
        let meant = |written| closest(written, known);
        assert_eq!(meant("restor"), Some("restore"));
        assert_eq!(meant("moeds"), Some("modes"));
        assert_eq!(meant("Timeout"), Some("timeout"));
        assert_eq!(meant("need"), Some("needs"));
        assert_eq!(meant("xyz"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant("x"), None);
    }

    #[test]
    fn the_nearer_name_wins_and_then_the_first() {
        assert_eq!(closest("stepa", ["stepbb", "stepb", "stepc"]), Some("stepb"));
    }

    #[test]
    fn a_swap_of_neighbours_is_one_mistake() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("form"), &chars("from")), 1);
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
        assert_eq!(distance(&chars("größe"), &chars("grösse")), 2);
    }

    #[test]
    fn what_cannot_be_seen_is_escaped_and_what_is_long_is_cut() {
        assert_eq!(quote("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
        assert_eq!(quote(&"x".repeat(100)).chars().count(), QUOTED_MAX + 3);
    }
}
