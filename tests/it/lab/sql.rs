//! A value in a real PostgreSQL, asked through a real API server by a program that kwok lets run for a pod. kwok has no
//! exit codes: what a program that fails means is proved in `src/world/actor/tests/sql_real.rs`.

#[path = "../../postgres.rs"]
mod postgres;

use self::postgres::Server;
use super::Lab;
use crate::bundle::bundle;

const CASE: &str = "tests/it/cases/sql.yaml";

fn asked(lab: &Lab, server: &Server, code: i32, more: &[&str]) -> String {
    let inputs = [
        format!("psql={}", server.psql_file().display()),
        format!("connect={}", server.connect()),
    ];
    let given = ["protect", CASE, "--input", &inputs[0], "--input", &inputs[1]];
    let output = lab.expect(code, &[&given, more].concat());
    super::one_line(&[&output.stdout[..], &output.stderr[..]].concat())
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_value_is_read_through_the_api_server_and_nothing_is_changed() {
    let server = Server::start();
    let lab = Lab::start();
    let said = asked(&lab, &server, 0, &[]);
    assert!(said.contains("3 (at least 3)"), "{said}");
    let execs = lab.audit("east");
    let execs = execs
        .of_tool()
        .filter(|event| event["objectRef"]["subresource"] == "exec");
    assert_eq!(execs.count(), 1, "asked once");

    let said = asked(&lab, &server, 3, &["--input", "orders=4"]);
    assert!(
        said.contains("the value is 3, and should be at least 4: select count(*) from orders"),
        "{said}"
    );
    asked(&lab, &server, 3, &["--input", "query=select clear()"]);
    assert_eq!(server.sql("select count(*) from orders"), Ok("3".to_owned()));
}
