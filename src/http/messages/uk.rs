//! Ukrainian.

use super::super::error::Code;
use super::super::v4::FeeType;

/// Before a limit that is shown.
pub const LIMIT: &str = "Ліміт";

pub const fn message(code: Code) -> &'static str {
    match code {
        Code::Common => "Сталася помилка з нашого боку. Спробуйте пізніше.",
        Code::NotValidRequestData => "Запит некоректний.",
        Code::NotFound => "За цією адресою нічого немає.",
        Code::MethodNotAllowed => "Ця дія тут неможлива.",
        Code::RequestTooLarge => "Запит завеликий.",
        Code::HeadersTooLarge => "Заголовки запиту завеликі.",
        Code::RequestTimeout => "Запит надходив надто довго.",
        Code::TooManyRequests => "Забагато запитів. Зачекайте трохи.",
        Code::ServiceUnavailable => "Сервіс тимчасово недоступний. Спробуйте ще раз.",
        Code::IdempotencyMismatch => "Цей ключ ідемпотентності вже використано для іншого запиту.",
        Code::RequestInProgress => "Такий самий запит ще обробляється.",
        Code::InvalidToken => "Увійдіть знову.",
        Code::InsufficientScope => "У вас немає дозволу на цю дію.",
        Code::CardNotSupported => "Ця картка не підтримується.",
        Code::CardExpired => "Термін дії картки минув.",
        Code::BillingAddressRequired => "Спочатку додайте платіжну адресу картки.",
        Code::CardPending => "Картка ще перевіряється.",
        Code::TooManyCards => "Ви досягли максимальної кількості карток.",
        Code::OfferExpired => "Термін дії пропозиції минув. Запросіть нову.",
        Code::OfferAlreadyExecuted => "Пропозицію вже виконано.",
        Code::OfferVersionConflict => "Пропозиція змінилася. Перегляньте її ще раз.",
        Code::InsufficientFunds => "На вашому балансі недостатньо коштів.",
        Code::LimitExceeded => "Це перевищить ваш ліміт.",
        Code::VelocityExceeded => "Забагато виплат за короткий час. Спробуйте пізніше.",
        Code::AmountTooSmall => "Сума замала.",
        Code::AmountTooLarge => "Сума завелика.",
        Code::PairNotSupported => "Ця пара валют не підтримується.",
        Code::KycRequired => "Спочатку підтвердьте свою особу.",
        Code::CustomerBlocked => "Виплати для вас заблоковано. Зверніться до служби підтримки.",
        Code::RatesUnavailable => "Наразі курс недоступний. Спробуйте ще раз.",
        Code::ScreeningUnavailable => "Наразі виплату неможливо перевірити. Спробуйте ще раз.",
        Code::TermsUnavailable => "Виплати зараз недоступні. Спробуйте пізніше.",
        Code::NoRoute => "Наразі виплата неможлива. Спробуйте пізніше.",
        Code::CallbackNotVerified => "Не вдалося перевірити сповіщення.",
    }
}

pub const fn fee_name(fee: FeeType) -> &'static str {
    match fee {
        FeeType::Transaction => "Комісія за транзакцію",
        FeeType::Gas => "Комісія мережі",
        FeeType::Additional => "Додаткова комісія",
        FeeType::Partner => "Комісія партнера",
    }
}
