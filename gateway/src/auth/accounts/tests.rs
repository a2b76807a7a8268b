//! Sign-ins, and what ends with them.

use super::*;
use crate::auth::{Role, Scope, SignedIn};

const NOW: Time = Time::from_secs(1_000_000);

async fn accounts() -> Accounts {
    guarded(Sentry::default()).await
}

async fn guarded(sentry: Sentry) -> Accounts {
    let accounts = Accounts::guarded(&[5; 32], Passwords::weak(), sentry);
    let password = accounts.passwords().hash("cordboard").await.expect("a hash");
    assert!(accounts.put_user(User {
        id: "usr_1".into(),
        name: "anna".into(),
        display: "Anna".into(),
        roles: vec![Role::Agent],
        password: Some(Password::Hash(password)),
    }));
    accounts
}

async fn signed_in(accounts: &Accounts) -> SignedIn {
    accounts
        .sign_in(NOW, "anna", "cordboard", None)
        .await
        .expect("signed in")
}

#[tokio::test]
async fn a_token_speaks_for_its_user_until_it_is_over_or_the_user_signs_out() {
    let accounts = accounts().await;
    let granted = signed_in(&accounts).await;
    let principal = accounts.authenticate(NOW, &granted.access_token).expect("good");
    assert!(principal.is(Role::Agent) && !principal.is(Role::Supervisor) && principal.id == "usr_1");
    let later = NOW + Duration::from_secs(600);
    assert_eq!(
        accounts.authenticate(later, &granted.access_token),
        Err(Denied::BadToken)
    );
    let next = accounts
        .refresh(later, &granted.refresh_token)
        .expect("refreshed");
    accounts.authenticate(later, &next.access_token).expect("good");
    let mut revocations = accounts.revocations();
    revocations.mark_unchanged();
    assert_eq!(accounts.sign_out(&next.refresh_token), Some(granted.session));
    assert!(revocations.has_changed().expect("there"));
    assert_eq!(
        accounts.authenticate(later, &next.access_token),
        Err(Denied::BadToken)
    );
    assert_eq!(accounts.current(later, &principal), None);
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_are_told_apart_by_nobody_and_run_out_of_tries() {
    let clock = Arc::new(std::sync::atomic::AtomicU64::new(NOW.as_micros()));
    let of = Arc::clone(&clock);
    let sentry = Sentry::with_clock(Default::default(), move || {
        Time(of.load(std::sync::atomic::Ordering::Relaxed))
    });
    let accounts = guarded(sentry).await;
    let bad = |name: &'static str| accounts.sign_in(NOW, name, "wrong", None);
    assert_eq!(bad("anna").await.err(), Some(Denied::BadCredentials));
    assert_eq!(bad("nobody").await.err(), Some(Denied::BadCredentials));
    for _ in 1..10 {
        bad("anna").await.expect_err("wrong");
    }
    // The wall clock may step in either direction.
    for wall in [
        NOW,
        NOW - Duration::from_secs(7_200),
        NOW + Duration::from_secs(7_200),
    ] {
        let denied = accounts.sign_in(wall, "anna", "cordboard", None).await.err();
        assert_eq!(denied, Some(Denied::TooMany(Duration::from_secs(6))));
    }
    clock.fetch_add(6_000_000, std::sync::atomic::Ordering::Relaxed);
    let long_ago = NOW - Duration::from_secs(900);
    accounts
        .sign_in(long_ago, "anna", "cordboard", None)
        .await
        .expect("signed in");
    accounts
        .sign_in(long_ago, "anna", "cordboard", None)
        .await
        .expect("and again");
}

#[tokio::test]
async fn sip_credentials_end_with_the_sign_in() {
    let accounts = accounts().await;
    let granted = signed_in(&accounts).await;
    let anna = accounts.authenticate(NOW, &granted.access_token).expect("good");
    assert_eq!(accounts.sip_session(NOW, &anna, "no tab"), None);
    let (credentials, until) = accounts.sip_session(NOW, &anna, "tab1").expect("credentials");
    let expected = Some(("anna".to_owned(), credentials.password.clone()));
    assert_eq!(accounts.sip_secret(NOW, &credentials.username), expected);
    assert_eq!(accounts.sip_secret(until, &credentials.username), None);
    let for_ben = credentials.username.replace("anna", "ben");
    assert_eq!(accounts.sip_secret(NOW, &for_ben), None);
    accounts.sign_out(&granted.refresh_token).expect("signed out");
    assert_eq!(accounts.sip_secret(NOW, &credentials.username), None);
}

#[tokio::test]
async fn a_ticket_is_void_once_used_or_when_its_sign_in_is_over() {
    let accounts = accounts().await;
    let granted = signed_in(&accounts).await;
    let anna = accounts.authenticate(NOW, &granted.access_token).expect("good");
    let (ticket, _) = accounts.ticket(NOW, anna.clone()).expect("a ticket");
    assert_eq!(accounts.redeem(NOW, &ticket), Some(anna.clone()));
    assert_eq!(accounts.redeem(NOW, &ticket), None);
    let (ticket, _) = accounts.ticket(NOW, anna).expect("a ticket");
    accounts.sign_out(&granted.refresh_token).expect("signed out");
    assert_eq!(accounts.redeem(NOW, &ticket), None);
}

#[tokio::test]
async fn what_was_granted_before_a_restart_stays_good() {
    let before = accounts().await;
    let granted = signed_in(&before).await;
    let after = accounts().await;
    assert_eq!(
        after.authenticate(NOW, &granted.access_token),
        Err(Denied::BadToken)
    );
    let session = before.session(&granted.session).expect("kept");
    after.restore_session(granted.session, session);
    after.authenticate(NOW, &granted.access_token).expect("good");
    after.refresh(NOW, &granted.refresh_token).expect("good");
}

#[tokio::test]
async fn changes_of_an_account_count_at_once() {
    let accounts = accounts().await;
    let granted = signed_in(&accounts).await;
    let mut anna = accounts.user("usr_1").expect("there");
    anna.roles = vec![Role::Supervisor];
    assert!(accounts.put_user(anna.clone()));
    let principal = accounts.authenticate(NOW, &granted.access_token).expect("good");
    assert!(principal.is(Role::Supervisor) && !principal.is(Role::Agent));
    let twin = User {
        id: "usr_2".into(),
        ..anna.clone()
    };
    assert!(!accounts.put_user(twin.clone()), "two users of one name");
    let colon = User {
        name: "a:b".into(),
        ..twin
    };
    assert!(!accounts.put_user(colon), "no name");
    anna.password = accounts
        .passwords()
        .hash("another one")
        .await
        .ok()
        .map(Password::Hash);
    assert!(accounts.put_user(anna));
    assert_eq!(
        accounts.authenticate(NOW, &granted.access_token),
        Err(Denied::BadToken)
    );
    assert_eq!(
        accounts.refresh(NOW, &granted.refresh_token).err(),
        Some(Denied::BadToken)
    );
    assert!(accounts.remove_user("usr_1").is_some());
    assert_eq!(
        accounts.sign_in(NOW, "anna", "another one", None).await.err(),
        Some(Denied::BadCredentials)
    );
}

#[tokio::test]
async fn an_api_key_speaks_for_itself_until_removed() {
    let accounts = accounts().await;
    let (key, secret) = ApiKey::generate("report".into(), vec![Scope::Read]).expect("a key");
    let id = key.id.clone();
    accounts.put_key(key);
    let principal = accounts.authenticate(NOW, &secret).expect("good");
    assert!(principal.has(Scope::Read) && principal.sees_all() && !principal.has(Scope::Control));
    assert!(!principal.is(Role::Agent));
    assert_eq!(accounts.authenticate(NOW, "cbk_AAAA"), Err(Denied::BadToken));
    assert!(accounts.remove_key(&id));
    assert_eq!(accounts.authenticate(NOW, &secret), Err(Denied::BadToken));
    assert_eq!(accounts.current(NOW, &principal), None);
}
