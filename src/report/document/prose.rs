//! Markdown that people wrote beside a runbook, on a page and within a larger document.
//!
//! ## Why
//!
//! - **No HTML of theirs**: it is shown as the text that it is. A page must stay one file without scripts
//!   and without addresses of others, whatever somebody pastes into a note.
//! - **No pictures**: they would be fetched from somewhere; what they show is named with their address.
//! - **Headings go down**: theirs begin below the section that they stand in.

use std::fmt::Write as _;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html as writer};

/// The level below a section's own headings.
const DOWN: usize = 3;

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS
}

/// As HTML.
pub(super) fn html(source: &str) -> String {
    let mut out = String::with_capacity(source.len() * 3 / 2);
    let events = Parser::new_ext(source, options()).map(safe);
    writer::push_html(&mut out, events);
    out
}

/// An event without HTML, pictures and addresses that do something.
fn safe(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { dest_url, .. }) => Event::Text(format!("[picture {dest_url}: ").into()),
        Event::End(TagEnd::Image) => Event::Text("]".into()),
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: address(dest_url, link_type),
            title,
            id,
        }),
        other => other,
    }
}

/// An address that only leads somewhere: to a page, a mailbox, a telephone, or a file beside it.
fn address(url: CowStr<'_>, kind: LinkType) -> CowStr<'_> {
    let scheme = url
        .split_once(':')
        .map(|(scheme, _)| scheme.trim().to_ascii_lowercase());
    let leads = match scheme.as_deref() {
        None | Some("http" | "https" | "mailto" | "tel") => true,
        // Not a scheme but a part of a path or a fragment.
        Some(word) => word.contains(['/', '#', '?']),
    };
    if leads || kind == LinkType::Email {
        url
    } else {
        "#".into()
    }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    HeadingLevel::try_from((level as usize + DOWN).min(6)).unwrap_or(HeadingLevel::H6)
}

/// As Markdown whose headings begin below a section's own. All else is as it was written.
pub(super) fn demoted(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 64);
    let mut from = 0;
    for (event, range) in Parser::new_ext(source, options()).into_offset_iter() {
        let Event::Start(Tag::Heading { level, .. }) = event else {
            continue;
        };
        out.push_str(&source[from..range.start]);
        let written = source[range.clone()].trim_end();
        let hashes = "#".repeat((level as usize + DOWN).min(6));
        let words = match written.strip_prefix('#') {
            Some(rest) => rest.trim_start_matches('#').trim().to_owned(),
            // Underlined: its last line is the line below it.
            None => written
                .rsplit_once('\n')
                .map_or("", |(words, _)| words)
                .replace('\n', " "),
        };
        let _ = writeln!(out, "{hashes} {words}");
        from = range.end;
    }
    out.push_str(&source[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_becomes_a_page_below_its_section() {
        let page =
            html("# Whom\n\nCall *anna*, then:\n\n1. say it\n2. wait\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");
        insta::assert_snapshot!(page, @"
        <h4>Whom</h4>
        <p>Call <em>anna</em>, then:</p>
        <ol>
        <li>say it</li>
        <li>wait</li>
        </ol>
        <table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>
        <tr><td>1</td><td>2</td></tr>
        </tbody></table>
        ");
    }

    #[test]
    fn html_scripts_and_pictures_of_others_stay_text() {
        let page = html(
            "<script src=x>alert(1)</script>\n\nan <img src=x onerror=alert(1)> ![map](https://evil.example/a.png) [here](javascript:alert(1)) [there](https://wiki.example/a) <anna@acme.example>\n",
        );
        insta::assert_snapshot!(page, @r##"
        <p>&lt;script src=x&gt;alert(1)&lt;/script&gt;
        </p>
        <p>an &lt;img src=x onerror=alert(1)&gt; [picture https://evil.example/a.png: map] <a href="#">here</a> <a href="https://wiki.example/a">there</a> <a href="mailto:anna@acme.example">anna@acme.example</a></p>
        "##);
        for part in ["<script", "<img", "href=\"javascript", "src=\""] {
            assert!(!page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn headings_go_down_in_markdown_and_nothing_else_is_changed() {
        let text = demoted("Title\n=====\n\ntext\n\n## Two ##\n\n```sh\n# not a heading\n```\nend");
        insta::assert_snapshot!(text, @"
        #### Title

        text

        ##### Two ##

        ```sh
        # not a heading
        ```
        end
        ");
    }
}
