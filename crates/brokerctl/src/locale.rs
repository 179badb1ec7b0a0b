//! The user's language, for the provider's sign-in pages.

/// Returns the language of the environment (POSIX: `LC_ALL`, `LC_MESSAGES`, `LANG`) as BCP 47 writes it.
pub(crate) fn current() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    bcp47(&set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"))?)
}

/// Reads `language[_territory][.encoding][@modifier]`; `None` for `C` and what is no language.
fn bcp47(locale: &str) -> Option<String> {
    let name = locale.split(['.', '@']).next().unwrap_or_default();
    let mut parts = name.split('_');
    let language = parts.next().filter(|part| (2..=3).contains(&part.len()))?;
    let territory = parts.next();
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain(language) || !territory.is_none_or(|part| plain(part) && (2..=3).contains(&part.len())) {
        return None;
    }
    Some(territory.map_or_else(|| language.to_owned(), |part| format!("{language}-{part}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_become_language_tags() {
        let table = [
            ("de_DE.UTF-8", Some("de-DE")),
            ("sr_RS@latin", Some("sr-RS")),
            ("en", Some("en")),
            ("es_419", Some("es-419")),
            ("C", None),
            ("C.UTF-8", None),
            ("POSIX", None),
            ("", None),
            ("de_D\u{1b}.UTF-8", None),
        ];
        for (locale, tag) in table {
            assert_eq!(bcp47(locale).as_deref(), tag, "{locale:?}");
        }
    }
}
