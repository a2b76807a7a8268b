//! Configuration and accounts.

use std::collections::{BTreeMap, BTreeSet};

use cordboard::store::{Expect, Put, StoreError, Table};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::Backend;

#[derive(Clone, Debug)]
enum Change {
    Put(u8, Option<u8>, Expected, String),
    Delete(u8, Expected),
}

#[derive(Clone, Debug)]
enum Expected {
    Absent,
    Current,
    Stale,
    Anything,
}

/// Expected content of the table: version, name and body by id.
type Model = BTreeMap<String, (u64, Option<String>, String)>;

fn change() -> impl Strategy<Value = Change> {
    let expected = || {
        prop_oneof![
            Just(Expected::Absent),
            Just(Expected::Current),
            Just(Expected::Stale),
            Just(Expected::Anything),
        ]
    };
    let put = (0..6u8, proptest::option::of(0..4u8), expected(), any::<String>());
    prop_oneof![
        3 => put.prop_map(|(id, name, expected, body)| Change::Put(id, name, expected, body)),
        1 => (0..6u8, expected()).prop_map(|(id, expected)| Change::Delete(id, expected)),
    ]
}

pub(crate) async fn random_changes_do_what_a_map_does(backend: Backend) {
    let store = backend.open().await;
    let table: Table<String> = store.table("test");
    let other: Table<String> = store.table("other");
    let mut model = Model::new();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let changes = proptest::collection::vec(change(), 400).new_tree(&mut runner);
    for (now_micros, change) in (1..).zip(changes.expect("changes").current()) {
        match change {
            Change::Put(id, name, expected, body) => {
                let (id, name) = (format!("row_{id}"), name.map(|n| format!("name {n}")));
                let held = model.get(&id).map(|row| row.0);
                let expect = expect(&expected, held);
                let wanted = put_in_model(&mut model, &id, name.clone(), expect, &body);
                let put = Put {
                    id: &id,
                    name: name.as_deref(),
                    number: None,
                    body: &body,
                    now_micros,
                };
                assert_eq!(table.put(put, expect).await, wanted, "{id} {expected:?}");
            }
            Change::Delete(id, expected) => {
                let id = format!("row_{id}");
                let held = model.get(&id).map(|row| row.0);
                let version = match expect(&expected, held) {
                    Expect::Version(version) => Some(version),
                    Expect::Absent | Expect::Anything => None,
                };
                let wanted = match held {
                    None => Err(StoreError::NotFound),
                    Some(held) if version.is_some_and(|version| version != held) => Err(StoreError::Conflict),
                    Some(_) => Ok(()),
                };
                if wanted.is_ok() {
                    model.remove(&id);
                }
                assert_eq!(table.delete(&id, version).await, wanted);
            }
        }
        check(&table, &model).await;
    }
    assert!(other.list(None, 10).await.expect("rows").is_empty());
}

fn expect(expected: &Expected, held: Option<u64>) -> Expect {
    match expected {
        Expected::Absent => Expect::Absent,
        Expected::Current => Expect::Version(held.unwrap_or(1)),
        Expected::Stale => Expect::Version(held.unwrap_or(1) + 1),
        Expected::Anything => Expect::Anything,
    }
}

fn put_in_model(
    model: &mut Model,
    id: &str,
    name: Option<String>,
    expect: Expect,
    body: &str,
) -> Result<u64, StoreError> {
    let held = model.get(id).map(|row| row.0);
    match (expect, held) {
        (Expect::Absent, Some(_)) => return Err(StoreError::Conflict),
        (Expect::Version(_), None) => return Err(StoreError::NotFound),
        (Expect::Version(version), Some(held)) if version != held => return Err(StoreError::Conflict),
        _ => {}
    }
    let mut others = model.iter().filter(|(other, _)| *other != id);
    if name.is_some() && others.any(|(_, row)| row.1 == name) {
        return Err(StoreError::Taken);
    }
    let version = held.unwrap_or(0) + 1;
    model.insert(id.to_owned(), (version, name, body.to_owned()));
    Ok(version)
}

async fn check(table: &Table<String>, model: &Model) {
    let mut found = Model::new();
    let mut after: Option<String> = None;
    loop {
        let page = table.list(after.as_deref(), 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for row in page {
            assert!(row.created_micros <= row.updated_micros);
            found.insert(row.id, (row.version, row.name, row.body));
        }
    }
    assert_eq!(&found, model);
    for n in 0..4 {
        let name = format!("name {n}");
        let holder = model.iter().find(|(_, row)| row.1.as_ref() == Some(&name));
        let row = table.find(&name).await.expect("an answer");
        assert_eq!(row.map(|row| row.id), holder.map(|(id, _)| id.clone()));
    }
}

pub(crate) async fn names_and_versions_are_kept_apart(backend: Backend) {
    let store = backend.open().await;
    let (users, queues): (Table<u8>, Table<u8>) = (store.table("user"), store.table("queue"));
    let put = Put {
        id: "1",
        name: Some("sales"),
        number: Some(1),
        body: &1,
        now_micros: 5,
    };
    assert_eq!(users.put(put, Expect::Absent).await, Ok(1));
    assert_eq!(queues.put(put, Expect::Absent).await, Ok(1));
    let same_number = Put {
        id: "2",
        name: None,
        ..put
    };
    assert_eq!(
        users.put(same_number, Expect::Absent).await,
        Err(StoreError::Taken)
    );
    let nul = Put { id: "\0", ..put };
    assert!(matches!(
        users.put(nul, Expect::Anything).await,
        Err(StoreError::Invalid(_))
    ));
    assert_eq!(users.get("\0").await, Ok(None));
    // If two clients have read the same version, only one change is made.
    let (one, two) = tokio::join!(
        users.put(put, Expect::Version(1)),
        users.put(put, Expect::Version(1))
    );
    assert!(matches!(
        (&one, &two),
        (Ok(2), Err(StoreError::Conflict)) | (Err(StoreError::Conflict), Ok(2))
    ));
    let row = users.get("1").await.expect("an answer").expect("a row");
    assert_eq!((row.number, row.version, row.body), (Some(1), 2, 1));
    // Another shape is reported, without its content.
    let texts: Table<String> = store.table("user");
    assert!(matches!(texts.get("1").await, Err(StoreError::Corrupt(_))));
}

pub(crate) async fn numbers_are_never_given_twice(backend: Backend) {
    let store = backend.open().await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let table: Table<u8> = store.table("queue");
        tasks.push(tokio::spawn(async move { table.next_number().await }));
    }
    let mut given = BTreeSet::new();
    for task in tasks {
        given.insert(task.await.expect("no panic").expect("a number"));
    }
    assert_eq!(given, (1..=20).collect());
    store.close().await;
    let store = backend.open().await;
    assert_eq!(store.table::<u8>("queue").next_number().await, Ok(21));
    assert_eq!(store.table::<u8>("agent").next_number().await, Ok(1));
}
