//! Rows in columns, for a terminal.

use super::lines::{clean, pad, text, width};

/// The rows as lines, every column as wide as its widest cell, two spaces between; nothing is cut. A row
/// may have fewer cells than others.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, wide)| pad(cell, *wide))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The rows as text, with what could steer a terminal taken out of their cells.
pub fn columns(rows: &[Vec<String>]) -> String {
    let cleaned: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| clean(cell)).collect())
        .collect();
    text(&table(&cleaned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let rows = [
            vec!["A".to_owned(), "B".to_owned(), "C".to_owned()],
            vec!["日本".to_owned(), String::new(), "c".to_owned()],
            vec!["alone".to_owned()],
        ];
        insta::assert_snapshot!(table(&rows).join("\n"), @"
        A      B  C
        日本      c
        alone
        ");
    }
}
