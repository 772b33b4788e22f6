use super::*;
use crate::step::{KINDS, testing};

fn page(name: &str) -> String {
    let kinds = testing::kinds();
    explain(kinds.iter().find(|kind| kind.name == name).unwrap())
}

#[test]
fn a_page_says_what_a_step_takes_and_gives() {
    insta::assert_snapshot!(page("restore"), @r"
    restore: Make a site's objects from a backup.

    Fields
      site: role, mandatory
          Where to.
      from: store, mandatory
          Where from.
      backup: text, default latest-verified
          Which backup: `latest-verified`, a name, or one that an earlier step made.
      namespaces: list of namespaces, mandatory
          Which namespaces.
      selector: map to string
          Labels that objects must have.
      settings: path
          More settings, from a file.
      existing: one of these
          What happens with objects that are there.
          keep: They stay as they are.
          replace: They become what the backup says.

    Outputs
      ${steps.<step>.backup}
      ${steps.<step>.restored}

    Example
      restore: { site: standby, from: vault, namespaces: [shop] }
    ");
    insta::assert_snapshot!(page("wait"), @r"
    wait: Wait until something is so.

    Fields
      site: role, mandatory
          Where.
      replicas: whole number, at least 0, default 1
          How many have to be ready.
      steady: duration
          How long it has to stay so.
      condition: one of these
          What to look at.
          available: Enough replicas are ready.
          field: map, mandatory
              path: string, mandatory
                  Its path.
              value: text, mandatory
                  Its value.
      headers: map to string
          Extra headers.
      strict: `true` or `false`
          Whether a missing object is an error.

    Example
      wait: { site: standby }
    ");
}

#[test]
fn a_page_fits_eighty_columns() {
    for kind in testing::kinds().iter().chain(KINDS) {
        let page = explain(kind);
        // An example is shown as it was written.
        let page = page.split("\nExample\n").next().unwrap();
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
