//! Credentials out of texts.

/// Variables of the environment whose values no text may tell.
#[cfg(any(feature = "cloud", feature = "hub", test))]
const SECRET_VARIABLES: [&str; 12] = [
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
];

/// The URL without a name, a password, a query or a fragment; of the Hub and of Azure, what stands before `@` is no credential.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    if !scheme.to_ascii_lowercase().starts_with("http") {
        return format!("{scheme}://{rest}");
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

/// `said` of a URL, without what the URL and the environment hold of credentials.
#[cfg(any(feature = "cloud", feature = "hub", test))]
pub(super) fn blotted(said: &str, url: &str) -> String {
    let from_environment = SECRET_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let mut secrets: Vec<String> = from_environment.chain(secrets_of(url)).filter(|s| s.len() > 3).collect();
    // A long one may hold a short one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(said.to_owned(), |said, secret| said.replace(secret.as_str(), "…"))
}

/// What a URL itself holds of credentials: name and password, and its query, whole and by value.
#[cfg(any(feature = "cloud", feature = "hub", test))]
fn secrets_of(url: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    if let Some((_, query)) = rest.split_once('?') {
        let query = query.split('#').next().unwrap_or_default();
        secrets.push(query.to_owned());
        secrets.extend(query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1.to_owned())));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if url.to_ascii_lowercase().starts_with("http")
        && let Some((user, _)) = authority.rsplit_once('@')
    {
        secrets.push(user.to_owned());
        secrets.extend(user.split(':').map(str::to_owned));
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_url_are_told_nowhere() {
        let url = "https://me:secret@host/a.jsonl?sig=abcd1234&x=1#part";
        assert_eq!(without_credentials(url), "https://host/a.jsonl");
        assert_eq!(without_credentials("hf://datasets/o/n@main/a.jsonl"), "hf://datasets/o/n@main/a.jsonl");
        assert_eq!(without_credentials("az://box@account/a?sas=1"), "az://box@account/a");
        let said = format!("no answer from {url}, signature abcd1234 of me:secret");
        let blotted = blotted(&said, url);
        for secret in ["secret", "abcd1234", "sig="] {
            assert!(!blotted.contains(secret), "{blotted}");
        }
        assert!(blotted.contains("no answer from https://…@host/a.jsonl?…"), "{blotted}");
    }
}
