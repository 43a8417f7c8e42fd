//! Why a token was refused: for logs and tests. The caller is told far less, see [`AuthError::public_reason`].

/// A refused request. Carries nothing of the token, so that it can be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthError {
    #[error("no Authorization header")]
    Missing,
    #[error("more than one Authorization header")]
    HeaderRepeated,
    #[error("the Authorization header is not a bearer token")]
    NotBearer,
    #[error("the token is longer than is read")]
    TooLong,
    #[error("not three parts of base64url")]
    NotAJws,
    #[error("the token's header is not understood")]
    HeaderMalformed,
    #[error("the header names critical extensions, of which none is supported")]
    CriticalExtension,
    #[error("the token is of another type (`typ`)")]
    OtherType,
    #[error("the algorithm is not one that any issuer may use")]
    AlgorithmUnknown,
    #[error("the claims are not understood")]
    ClaimsMalformed,
    #[error("no `iss`")]
    IssuerMissing,
    #[error("no issuer is configured for this `iss`")]
    IssuerUnknown,
    #[error("no `aud`")]
    AudienceMissing,
    #[error("meant for another audience")]
    AudienceOther,
    #[error("meant for audiences of more than one configured issuer")]
    AudienceAmbiguous,
    #[error("the issuer may not use this algorithm")]
    AlgorithmRefused,
    #[error("the issuer has no such key")]
    KeyUnknown,
    #[error("the token names no key and the issuer has several, or several of that name")]
    KeyAmbiguous,
    #[error("the key is of another algorithm")]
    KeyMismatch,
    #[error("the issuer's keys can't be had")]
    KeysUnavailable,
    #[error("the signature does not hold")]
    SignatureInvalid,
    #[error("no `exp`")]
    ExpiryMissing,
    #[error("expired")]
    Expired,
    #[error("not valid yet")]
    NotYetValid,
    #[error("issued in the future")]
    IssuedInFuture,
    #[error("no `iat`, which the issuer's limit on age needs")]
    IssuedAtMissing,
    #[error("older than the issuer's tokens may be")]
    TooOld,
    #[error("no `sub`")]
    SubjectMissing,
    #[error("`sub` is not 1 to 255 printable characters")]
    SubjectInvalid,
    #[error("the required scope is not granted")]
    ScopeMissing,
    #[error("the KYC claim is not a level")]
    KycInvalid,
    #[error("revoked, or its customer is blocked")]
    Revoked,
    #[error("no authenticator is wired into this route")]
    NotWired,
}

impl AuthError {
    /// What the caller is told, in full. `token_expired` is only ever said of a token whose signature held, so it
    /// tells nobody anything but its owner.
    pub const fn public_reason(self) -> &'static str {
        match self {
            AuthError::Missing => "token_missing",
            AuthError::Expired => "token_expired",
            AuthError::HeaderRepeated
            | AuthError::NotBearer
            | AuthError::TooLong
            | AuthError::NotAJws
            | AuthError::HeaderMalformed
            | AuthError::CriticalExtension
            | AuthError::OtherType
            | AuthError::AlgorithmUnknown
            | AuthError::ClaimsMalformed
            | AuthError::IssuerMissing
            | AuthError::IssuerUnknown
            | AuthError::AudienceMissing
            | AuthError::AudienceOther
            | AuthError::AudienceAmbiguous
            | AuthError::AlgorithmRefused
            | AuthError::KeyUnknown
            | AuthError::KeyAmbiguous
            | AuthError::KeyMismatch
            | AuthError::KeysUnavailable
            | AuthError::SignatureInvalid
            | AuthError::ExpiryMissing
            | AuthError::NotYetValid
            | AuthError::IssuedInFuture
            | AuthError::IssuedAtMissing
            | AuthError::TooOld
            | AuthError::SubjectMissing
            | AuthError::SubjectInvalid
            | AuthError::ScopeMissing
            | AuthError::KycInvalid
            | AuthError::Revoked
            | AuthError::NotWired => "token_refused",
        }
    }
}
