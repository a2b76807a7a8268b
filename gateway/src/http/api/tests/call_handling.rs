//! Call handling over the API: one's own and that of others, its versions, and what a restart leaves of it.

use super::*;
use crate::config::{CallHandling, Forward};
use crate::store::Durability;

const OWN: &str = "/api/v1/me/call-handling";
const ANNAS: &str = "/api/v1/users/usr_anna/call-handling";

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().expect("ASCII").to_owned()
}

/// Call handling that the switch was given, with the users.
fn given(world: &World) -> Vec<(String, call_engine::CallHandling)> {
    let asked = world.asked().into_iter();
    asked
        .filter_map(|(_, command)| match command {
            Command::HandleCalls { user, handling } => Some((user, *handling)),
            _ => None,
        })
        .collect()
}

/// A file in which calls to Anna are forwarded while she is busy.
fn forwarding() -> Config {
    let mut config = file();
    let handling = CallHandling {
        forward: Forward {
            busy: Some("ben".into()),
            ..Forward::default()
        },
        ..CallHandling::default()
    };
    config.call_handling.insert("anna".into(), handling);
    config
}

#[tokio::test]
async fn users_change_their_own_call_handling_whatever_the_file_says() {
    let store = Store::open("sqlite::memory:", Durability::Normal)
        .await
        .expect("a store");
    let (controller, asked) = controller();
    let world = World::of(forwarding(), controller, asked, Some(&store)).await;
    let (anna, adam) = (world.token("anna").await, world.token("adam").await);
    let before = world.get(&anna, OWN).await;
    assert_eq!((before.status, tag(&before)), (StatusCode::OK, "\"file\"".into()));
    assert_eq!(
        before.body,
        json!({
            "do_not_disturb": false,
            "forward": {"always": null, "busy": "ben", "no_answer": null, "no_answer_after": 20, "unreachable": null},
            "from_file": true,
        })
    );
    let mine = json!({"do_not_disturb": true, "forward": {"no_answer": "9196", "no_answer_after": 30}});
    assert_eq!(world.put(&anna, OWN, mine.clone()).await.code(), "match-required");
    let put = world
        .matching(Method::PUT, &anna, OWN, "\"file\"", Some(mine.clone()))
        .await;
    assert_eq!(
        (put.status, tag(&put)),
        (StatusCode::OK, "\"v1\"".into()),
        "{}",
        put.body
    );
    assert_eq!(
        (&put.body["forward"]["busy"], &put.body["from_file"]),
        (&json!(null), &json!(false))
    );
    let [(user, handling)] = &given(&world)[..] else {
        panic!("told once")
    };
    assert_eq!((user.as_str(), handling.do_not_disturb), ("anna", true));
    assert_eq!(handling.no_answer.as_deref(), Some("9196"));
    // An admin sees and changes it too, and nobody overwrites what another has changed meanwhile.
    assert_eq!(world.get(&adam, ANNAS).await.body, put.body);
    let stale = world
        .matching(Method::PUT, &adam, ANNAS, "\"file\"", Some(mine.clone()))
        .await;
    assert_eq!(stale.code(), "changed");
    let put = world
        .matching(Method::PUT, &adam, ANNAS, "\"v1\"", Some(json!({})))
        .await;
    assert_eq!(tag(&put), "\"v2\"");
    assert_eq!(put.body["forward"]["busy"], json!(null), "replaced as a whole");

    // It is there after a restart, and the file's is there once more after a reset.
    let (controller, asked) = super::controller();
    let world = World::of(forwarding(), controller, asked, Some(&store)).await;
    let anna = world.token("anna").await;
    let after = world.get(&anna, OWN).await;
    assert_eq!((tag(&after), &after.body), ("\"v2\"".into(), &put.body));
    assert_eq!(
        world
            .matching(Method::DELETE, &anna, OWN, "\"v1\"", None)
            .await
            .code(),
        "changed"
    );
    let reset = world.matching(Method::DELETE, &anna, OWN, "\"v2\"", None).await;
    assert_eq!(reset.status, StatusCode::NO_CONTENT);
    let after = world.get(&anna, OWN).await;
    assert_eq!((tag(&after), &after.body), ("\"file\"".into(), &before.body));
    assert_eq!(given(&world)[0].1.busy.as_deref(), Some("ben"));
}

#[tokio::test]
async fn call_handling_of_others_is_for_admins_and_wrong_fields_are_named() {
    let world = World::new().await;
    let (anna, adam) = (world.token("anna").await, world.token("adam").await);
    assert_eq!(world.get(&anna, ANNAS).await.code(), "forbidden");
    let nobody = "/api/v1/users/usr_nobody/call-handling";
    assert_eq!(world.get(&adam, nobody).await.code(), "unknown-user");
    let wrong = json!({"forward": {"always": " 1", "busy": "", "no_answer": "a\nb", "no_answer_after": 4}});
    let answer = world.matching(Method::PUT, &adam, ANNAS, "*", Some(wrong)).await;
    let errors = answer.body["errors"].as_array().expect("errors");
    let fields: Vec<&str> = errors
        .iter()
        .filter_map(|error| error["field"].as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "forward.always",
            "forward.busy",
            "forward.no_answer",
            "forward.no_answer_after"
        ]
    );
    let answer = world
        .matching(
            Method::PUT,
            &adam,
            ANNAS,
            "*",
            Some(json!({"do_not_distrub": true})),
        )
        .await;
    assert_eq!(answer.code(), "invalid");
    assert!(given(&world).is_empty());
    // A key of a program is nobody's own.
    let key = world.key(&[Scope::Configure]);
    assert_eq!(world.get(&key, OWN).await.code(), "forbidden");
    let groups = world.get(&world.token("sue").await, "/api/v1/groups").await;
    assert_eq!(groups.body["items"], json!([]));
}
