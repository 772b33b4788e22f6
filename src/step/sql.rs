//! `sql`: check a value in a database.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::inside;
use super::params::{NamespaceName, Role};
use super::target::Target;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{CheckSql, Effect, SqlExpect};
use crate::objects::ObjectId;
use crate::text::{Millis, Text, shell_word};

/// The kind.
#[derive(Debug)]
pub(super) struct Sql;

/// Which database, what it is asked, and what it has to answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The role of the site.
    site: Role,
    /// Where.
    namespace: NamespaceName,
    /// `pod/db-0`, or a workload such as `statefulset/db`: then its first pod, by name, that is ready. `psql` has to be
    /// in it, and the database has to let it in: on its own socket, or by what the container's environment says
    /// (`PGPASSWORD`, `PGPASSFILE`, `PGSERVICE`), which comes from a Secret of the cluster.
    #[serde(rename = "in")]
    inside: Target,
    /// Which container; without it: the pod's first, or the one that its annotation
    /// `kubectl.kubernetes.io/default-container` names.
    container: Option<String>,
    /// Where `psql` is, if it is not on the container's path.
    #[serde(default = "psql")]
    psql: String,
    /// Parameters of the connection, such as `host=db user=app dbname=shop`; without it: as the container's environment
    /// says. Never a password: plans and reports show it.
    #[serde(default)]
    connect: String,
    /// One statement that gives one row of one column, without `;`. It runs in a transaction that may only read. Plans
    /// and reports show it and the value.
    query: String,
    /// What the value has to be.
    expect: Expect,
    /// How long the database may work on it.
    #[serde(default = "thirty_seconds")]
    answer_within: Millis,
}

/// What a value has to be: `equals`, or a range, or an age.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// This text, or a number that is written so; `${steps.<step>.value}` compares with an earlier look.
    equals: Option<Text>,
    /// A number, and not less than this.
    at_least: Option<i64>,
    /// A number, and not more than this.
    at_most: Option<i64>,
    /// A moment with its time zone (`timestamptz`), and at most so long ago by the database's own clock.
    not_older_than: Option<Millis>,
}

fn psql() -> String {
    "psql".to_owned()
}

/// Longer than a count over a table takes that anybody waits for in an incident.
const fn thirty_seconds() -> Millis {
    Millis(30_000)
}

impl StepKind for Sql {
    const NAME: &'static str = "sql";
    const SUMMARY: &'static str =
        "Check a value in a PostgreSQL database, by `psql` in a pod, without changing anything.";
    const OUTPUTS: &'static [&'static str] = &["value"];
    const PROVES_HEALTH: bool = true;
    const EXAMPLE: &'static str = include_str!("../../examples/sql.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::CheckSql(CheckSql {
            site: "west".to_owned(),
            of: inside::specimen(),
            container: None,
            program: psql(),
            connect: "dbname=shop".to_owned(),
            query: "select count(*) from orders".to_owned(),
            expect: SqlExpect::Within {
                at_least: Some(1),
                at_most: None,
            },
            answer_within_ms: thirty_seconds().0,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        inside::check(&params.id(), "program")?;
        if params.query.trim().is_empty() || params.psql.trim().is_empty() {
            return Err("`query` and `psql` are not empty".into());
        }
        if params.query.contains(';') {
            return Err("`query` is one statement, without `;`".into());
        }
        check_connect(&params.connect)?;
        params.expect.wanted().map(|_| ())
    }

    /// Asking takes its time once, and whoever connects ten seconds more.
    fn needs_ms(params: &Params) -> u64 {
        params.answer_within.0
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = params
            .effect()
            .map_err(|why| Refusal::no(why, "correct `expect`"))?;
        Ok(Script {
            effects: vec![Effect::CheckSql(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let kubectl = place.kubectl(&params.site.0, Some(&params.namespace.0));
        let exec = inside::exec(&kubectl, &params.id(), params.container.as_deref());
        let connect = match params.connect.as_str() {
            "" => String::new(),
            connect => format!(" -d {}", shell_word(connect)),
        };
        let mut words = params
            .expect
            .wanted()
            .map_or_else(|why| why, |wanted| wanted.words());
        if let Some(text) = &params.expect.equals {
            words = format!("= {}", in_words(text));
        }
        vec![
            Hand::run(format!(
                "{exec} -- {} -X -A -t{connect} -c {}",
                shell_word(&params.psql),
                shell_word(&params.query)
            )),
            Hand::say(format!("It is as it should be if the value is {words}.")),
        ]
    }
}

/// Words and values of libpq; a password in them would be in every plan.
fn check_connect(connect: &str) -> Result<(), String> {
    if connect.contains("://") {
        return Err("write `connect` as words and values, such as `host=db dbname=shop`".into());
    }
    let lower = connect.to_lowercase();
    for secret in ["password", "passfile", "options"] {
        if lower.contains(secret) {
            return Err(format!(
                "`{secret}` does not belong into `connect`: a password comes from the container's environment, and options are set by this step"
            ));
        }
    }
    Ok(())
}

impl Expect {
    fn wanted(&self) -> Result<SqlExpect, String> {
        let range = self.at_least.is_some() || self.at_most.is_some();
        match (&self.equals, range, self.not_older_than) {
            (Some(text), false, None) => Ok(SqlExpect::Equals(text.clone())),
            (None, true, None) => Ok(SqlExpect::Within {
                at_least: self.at_least,
                at_most: self.at_most,
            }),
            (None, false, Some(age)) => Ok(SqlExpect::NotOlderThan(age.0)),
            _ => Err(
                "say what the value has to be: `equals`, or `at_least` and `at_most`, or `not_older_than`"
                    .into(),
            ),
        }
    }
}

impl Params {
    fn id(&self) -> ObjectId {
        self.inside.id(None, Some(&self.namespace.0))
    }

    fn effect(&self) -> Result<CheckSql, String> {
        Ok(CheckSql {
            site: self.site.0.clone(),
            of: self.id(),
            container: self.container.clone(),
            program: self.psql.clone(),
            connect: self.connect.clone(),
            query: self.query.trim().to_owned(),
            expect: self.expect.wanted()?,
            answer_within_ms: self.answer_within.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(more: &serde_json::Value) -> Params {
        let mut all = json!({ "site": "west", "namespace": "shop", "in": "statefulset/db",
            "query": "select 1", "expect": { "at_least": 1 } });
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn one_statement_is_asked_one_thing_is_expected_and_no_password_is_written() {
        for good in [
            json!({}),
            json!({ "expect": { "equals": "7" } }),
            json!({ "expect": { "at_least": 1, "at_most": 9 } }),
            json!({ "expect": { "not_older_than": "15m" } }),
            json!({ "connect": "host=db user=app dbname=shop" }),
        ] {
            assert_eq!(Sql::check(&params(&good)), Ok(()), "{good}");
        }
        for (bad, why) in [
            (json!({ "in": "service/db" }), "no program runs in a Service"),
            (json!({ "query": "select 1; delete from orders" }), "without `;`"),
            (json!({ "query": " " }), "not empty"),
            (json!({ "expect": {} }), "say what the value has to be"),
            (json!({ "expect": { "equals": "1", "at_least": 1 } }), "say what"),
            (
                json!({ "connect": "postgres://app:pw@db/shop" }),
                "words and values",
            ),
            (json!({ "connect": "host=db PASSWORD=pw" }), "does not belong"),
            (
                json!({ "connect": "options='-c default_transaction_read_only=off'" }),
                "does not belong",
            ),
        ] {
            let said = Sql::check(&params(&bad)).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn what_is_run_may_only_read_and_only_for_its_time() {
        let effect = params(&json!({ "connect": "dbname=shop", "query": "select 1 -- a comment" }))
            .effect()
            .unwrap();
        insta::assert_snapshot!(effect.argv().join("\n"), @"
        psql
        -X
        -w
        -q
        -A
        -t
        -v
        ON_ERROR_STOP=1
        -d
        application_name=lifeboat connect_timeout=10 dbname=shop
        -c
        BEGIN TRANSACTION READ ONLY
        -c
        SET LOCAL statement_timeout = 30000
        -c
        SELECT json_build_object('row', row_to_json(answer), 'now', clock_timestamp())::text FROM (
        select 1 -- a comment
        ) AS answer LIMIT 2
        -c
        ROLLBACK
        ");
    }
}
