//! A real PostgreSQL and its own `psql` (see `tests/postgres.rs`): the program of the embedded pod is a process of this
//! machine.

#[expect(clippy::disallowed_methods, reason = "the environment says where the lab is")]
#[path = "../../../../tests/bundle.rs"]
mod bundle;
#[expect(clippy::disallowed_methods, reason = "it puts a program where it is run from")]
#[path = "../../../../tests/postgres.rs"]
mod postgres;

use self::bundle::bundle;
use self::postgres::Server;
use super::*;
use crate::effect::{CheckSql, SqlExpect};
use crate::text::Text;
use crate::world::port::Executed;
use crate::world::sim::Program;

/// A stage whose database is this server.
async fn stage(server: &Arc<Server>) -> Stage {
    let stage = Stage::new();
    pass(10_000).await;
    let database = server.clone();
    stage.east().runs_by(Arc::new(move |argv| {
        let (program, args) = argv.split_first()?;
        (program == "psql").then(|| Program::Ran(executed(database.psql(args))))
    }));
    stage
}

fn executed(done: std::process::Output) -> Executed {
    Executed {
        code: done.status.code().unwrap_or(-1),
        stdout: done.stdout,
        stderr: done.stderr,
        cut: false,
    }
}

fn check(server: &Server, query: &str, expect: SqlExpect) -> CheckSql {
    CheckSql {
        site: "east".into(),
        of: id("StatefulSet", "shop", "db"),
        container: None,
        program: "psql".into(),
        connect: server.connect(),
        query: query.into(),
        expect,
        answer_within_ms: 2_000,
    }
}

fn at_least(least: i64) -> SqlExpect {
    SqlExpect::Within {
        at_least: Some(least),
        at_most: None,
    }
}

async fn error(stage: &Stage, check: CheckSql) -> WorldError {
    stage
        .perform("check", Effect::CheckSql(check))
        .await
        .expect_err("it fails")
}

#[tokio::test(start_paused = true)]
#[ignore = "needs Debian's PostgreSQL: make test"]
#[expect(clippy::too_many_lines, reason = "one server, many questions")]
async fn a_real_server_answers_and_changes_nothing_whatever_it_is_asked() {
    let server = Arc::new(Server::start());
    let stage = stage(&server).await;
    let ask = async |query: &str, expect| {
        let done = stage
            .done("check", Effect::CheckSql(check(&server, query, expect)))
            .await;
        done.outputs["value"].clone()
    };
    assert_eq!(ask("select count(*) from orders", at_least(3)).await, "3");
    assert_eq!(
        ask(
            "with newest as (select max(number) from orders) select * from newest -- said last",
            SqlExpect::Equals(Text::known("3"))
        )
        .await,
        "3"
    );
    let age = SqlExpect::NotOlderThan(6 * 60 * 1000);
    ask("select max(placed) from orders", age.clone()).await;
    assert_eq!(
        ask(
            "values ('a ''b'' \" c')",
            SqlExpect::Equals(Text::known("a 'b' \" c"))
        )
        .await,
        "a 'b' \" c"
    );
    assert_eq!(
        ask(
            "select current_setting('transaction_read_only')",
            SqlExpect::Equals(Text::known("on"))
        )
        .await,
        "on"
    );

    let wrong = error(&stage, check(&server, "select count(*) from orders", at_least(4))).await;
    assert_eq!(
        (wrong.kind, wrong.message.as_str()),
        (
            ErrorKind::Rejected,
            "the value is 3, and should be at least 4: select count(*) from orders"
        )
    );
    let old = error(
        &stage,
        check(&server, "select min(placed) from orders", age.clone()),
    )
    .await;
    assert!(
        old.message.contains("15m") && old.message.contains("ago by the database's clock"),
        "{old:?}"
    );
    let zoneless = error(&stage, check(&server, "select max(day) from orders", age)).await;
    assert!(
        zoneless.message.contains("no moment with a time zone"),
        "{zoneless:?}"
    );
    for (query, why) in [
        ("select number from orders", "gave more than one row"),
        ("select number from orders where number > 9", "gave no row"),
        ("select 1 as a, 2 as b", "gave 2 columns instead of one"),
    ] {
        let said = error(&stage, check(&server, query, at_least(0))).await;
        assert!(said.message.contains(why), "{query}: {said:?}");
    }

    // What would change something is refused by the server itself.
    for (query, why) in [
        (
            "select clear()",
            "cannot execute DELETE in a read-only transaction",
        ),
        (
            "select nextval('numbers')",
            "cannot execute nextval() in a read-only transaction",
        ),
        ("delete from orders returning number", "syntax error"),
        (
            "with gone as (delete from orders returning 1) select * from gone",
            "data-modifying statement",
        ),
        (
            "select 1) as answer; delete from orders; select 1 from (select 1",
            "read-only transaction",
        ),
        (
            "select set_config('transaction_read_only', 'off', false)",
            "read-write mode",
        ),
        ("select no_such_column from orders", "does not exist"),
    ] {
        let said = error(&stage, check(&server, query, at_least(0))).await;
        assert_eq!(said.kind, ErrorKind::Rejected, "{query}");
        let causes = said.causes.join(" ");
        assert!(causes.contains(why), "{query}: {causes}");
    }
    let slow = error(&stage, check(&server, "select pg_sleep(60)::text", at_least(0))).await;
    assert!(slow.causes.join(" ").contains("statement timeout"), "{slow:?}");
    let_nobody_in(&server, &stage).await;
    assert_eq!(server.sql("select count(*) from orders").unwrap(), "3");
}

/// A server that is not there, and one that has no such database.
async fn let_nobody_in(server: &Server, stage: &Stage) {
    stage.said();
    let nowhere = CheckSql {
        connect: server.connect().replace(" user", "/none user"),
        ..check(server, "select 1", at_least(1))
    };
    let work = stage.perform("check", Effect::CheckSql(nowhere));
    let limited = tokio::time::timeout(Duration::from_secs(5), work).await;
    assert!(limited.is_err(), "as long as its step may");
    let said = stage.said().join("\n");
    assert!(
        said.starts_with("the database lets nobody in: psql: error: connection"),
        "{said}"
    );
    let stranger = CheckSql {
        connect: server.connect().replace("dbname=postgres", "dbname=none"),
        ..check(server, "select 1", at_least(1))
    };
    let work = stage.perform("check", Effect::CheckSql(stranger));
    assert!(tokio::time::timeout(Duration::from_secs(5), work).await.is_err());
    let said = stage.said().join("\n");
    assert!(said.contains("database \"none\" does not exist"), "{said}");
}
