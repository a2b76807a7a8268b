//! The first admin of a gateway whose file names no users: somebody must be able to add the others.

use sans_io::{Rng, Time};

use crate::auth::Role;
use crate::config::Work;
use crate::provisioning::{Provisioning, ProvisioningError, UserSettings};

/// Characters of a generated password, out of 62: 119 bits.
const LENGTH: usize = 20;

/// Adds an admin with a random password, unless there is an admin already. Returns the password, to be shown
/// once: only its hash is kept.
///
/// # Errors
/// One line for people.
pub(crate) async fn draw(
    provisioning: &Provisioning,
    now: Time,
    name: &str,
    rng: &mut Rng,
) -> Result<Option<String>, String> {
    if provisioning.has_admin() {
        return Ok(None);
    }
    let password = rng.token(LENGTH);
    let settings = UserSettings {
        name: name.to_owned(),
        display: String::new(),
        roles: vec![Role::Supervisor, Role::Admin],
        agent: Work::default(),
        password: Some(password.clone()),
        sip_password: None,
    };
    match provisioning.put_user(now, None, settings).await {
        Ok(_) => Ok(Some(password)),
        Err(ProvisioningError::Taken) => Err(format!(
            "a user or queue named `{name}` exists and is not an admin; choose another name"
        )),
        Err(ProvisioningError::Invalid(wrong)) => {
            let wrong: Vec<String> = wrong
                .iter()
                .map(|(field, why)| format!("{field}: {why}"))
                .collect();
            Err(wrong.join("; "))
        }
        Err(_) => Err("the store did not keep it".to_owned()),
    }
}
