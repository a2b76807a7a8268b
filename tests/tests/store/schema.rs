//! Databases of other versions.

use cordboard::store::{CallRecord, Durability, Entry, Object, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::Backend;

/// Runs statements in a database that no gateway has open, and creates it. Text is ordered by bytes in both kinds.
async fn execute(backend: &Backend, sql: &str) {
    match backend {
        Backend::Sqlite(_) => {
            let url = format!("{}?mode=rwc", backend.url());
            let mut database = SqliteConnection::connect(&url).await.expect("a file");
            let sql = AssertSqlSafe(sql.to_owned());
            sqlx::raw_sql(sql).execute(&mut database).await.expect("executed");
            database.close().await.expect("closed");
        }
        Backend::Postgres(_) => {
            let mut database = PgConnection::connect(&backend.url()).await.expect("a server");
            let sql = AssertSqlSafe(sql.replace("TEXT", "TEXT COLLATE \"C\""));
            sqlx::raw_sql(sql).execute(&mut database).await.expect("executed");
            database.close().await.expect("closed");
        }
    }
}

async fn number(backend: &Backend, sql: &'static str) -> i64 {
    match backend {
        Backend::Sqlite(_) => {
            let mut database = SqliteConnection::connect(&backend.url()).await.expect("a file");
            sqlx::query_scalar(sql)
                .fetch_one(&mut database)
                .await
                .expect("a number")
        }
        Backend::Postgres(_) => {
            let mut database = PgConnection::connect(&backend.url()).await.expect("a server");
            sqlx::query_scalar(sql)
                .fetch_one(&mut database)
                .await
                .expect("a number")
        }
    }
}

async fn refusal(backend: &Backend) -> StoreError {
    let opened = Store::open(&backend.url(), Durability::Full).await;
    opened.expect_err("refused")
}

pub(crate) async fn a_database_without_versions_of_sqlx_keeps_everything(backend: Backend) {
    execute(&backend, include_str!("steps.sql")).await;
    for round in 0..2u32 {
        let store = backend.open().await;
        let log = store.log();
        let read: Vec<Entry> = log.read("acd", 1, 10).await.expect("read");
        let read: Vec<_> = read
            .iter()
            .map(|e| (e.seq, e.epoch, e.at_micros, &*e.kind, &*e.body))
            .collect();
        assert_eq!(
            read,
            [
                (1, 2, 1_700_000_000_000_001, "enqueued", r#"{"call":1}"#),
                (2, 3, 1_700_000_000_000_002, "ended", r#"{"call":1}"#),
            ]
        );
        assert_eq!(log.last("event").await, Ok(1));
        let snapshot = log.latest_snapshot("acd").await;
        assert_eq!(snapshot, Ok(Some((1, r#"{"calls":[1]}"#.to_owned()))));
        let slots = log.slots("queue").await;
        assert_eq!(slots, Ok(vec![(7, 1_888_888, r#"{"answered":1}"#.to_owned())]));
        let queues = store.table::<String>("queue");
        let queue: Option<Object<String>> = queues.find("Ärzte").await.expect("read");
        let queue = queue.expect("the queue");
        assert_eq!(
            (&*queue.id, queue.version, queue.number),
            ("que_sales", 4, Some(7))
        );
        assert_eq!(
            (queue.created_micros, queue.updated_micros, &*queue.body),
            (11, 12, "a queue")
        );
        assert_eq!(queues.next_number().await, Ok(8 + round));
        let call = CallRecord {
            id: "call_1".into(),
            version: 2,
            started_micros: 1_700_000_000_000_000,
            queue: Some("que_sales".into()),
            agents: vec!["usr_anna".into()],
            caller: "+4930123".into(),
            disposition: Some("sold".into()),
            notes: "häppy".into(),
            body: r#"{"n":1}"#.into(),
        };
        assert_eq!(store.calls().get("call_1").await, Ok(Some(call)));
        assert_eq!(log.begin_epoch("acd").await, Ok(4 + u64::from(round)));
        store.close().await;
        assert_eq!(
            number(&backend, "SELECT COUNT(*) FROM _sqlx_migrations WHERE success").await,
            4
        );
        // A gateway of that age knows step 4, and is told to leave this database to a newer one.
        assert_eq!(number(&backend, "SELECT MAX(step) FROM schema_steps").await, 5);
    }
}

pub(crate) async fn a_database_of_each_step_is_brought_up_to_date(backend: Backend) {
    let drop = "DROP TABLE IF EXISTS schema_steps; DROP TABLE IF EXISTS _sqlx_migrations; \
                DROP TABLE IF EXISTS streams; DROP TABLE IF EXISTS log; DROP TABLE IF EXISTS snapshots; \
                DROP TABLE IF EXISTS counters; DROP TABLE IF EXISTS objects; DROP TABLE IF EXISTS calls; \
                DROP TABLE IF EXISTS slots;";
    let (schema, _) = include_str!("steps.sql").split_once("\n\n").expect("a schema");
    for step in 1..=4 {
        let end = format!("INSERT INTO schema_steps (step) VALUES ({step});");
        let (before, _) = schema.split_once(&end).expect("the step");
        execute(&backend, drop).await;
        execute(&backend, &format!("{before}{end}")).await;
        let store = backend.open().await;
        assert_eq!(store.log().begin_epoch("acd").await, Ok(1), "step {step}");
        assert_eq!(store.log().slots("queue").await, Ok(vec![]), "step {step}");
        assert_eq!(
            store.table::<String>("queue").next_number().await,
            Ok(1),
            "step {step}"
        );
        store.close().await;
    }
}

pub(crate) async fn a_newer_database_is_refused(backend: Backend) {
    backend.open().await.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 99, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    execute(&backend, newer).await;
    let error = refusal(&backend).await;
    assert_eq!(error, StoreError::Newer { found: 99, known: 4 });
    assert_eq!(
        error.to_string(),
        "the database has schema 99, this gateway knows 4: start the newer gateway"
    );
}

pub(crate) async fn a_database_with_another_schema_is_refused(backend: Backend) {
    backend.open().await.close().await;
    let other = "UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 1) \
                 WHERE version = 3";
    execute(&backend, other).await;
    let error = refusal(&backend).await;
    assert_eq!(error, StoreError::Schema("migration 3 is another one".into()));
}

pub(crate) async fn two_gateways_may_open_a_new_database_at_once(backend: Backend) {
    let opened = tokio::join!(backend.open(), backend.open(), backend.open());
    assert_eq!(opened.0.log().begin_epoch("acd").await, Ok(1));
    assert_eq!(opened.1.log().begin_epoch("acd").await, Ok(2));
    assert_eq!(opened.2.log().begin_epoch("acd").await, Ok(3));
}
