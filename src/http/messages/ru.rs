//! Russian.

use super::super::error::Code;
use super::super::v4::FeeType;

/// Before a limit that is shown.
pub const LIMIT: &str = "Лимит";

pub const fn message(code: Code) -> &'static str {
    match code {
        Code::Common => "Произошла ошибка на нашей стороне. Попробуйте позже.",
        Code::NotValidRequestData => "Запрос некорректен.",
        Code::NotFound => "По этому адресу ничего нет.",
        Code::MethodNotAllowed => "Это действие здесь невозможно.",
        Code::RequestTooLarge => "Запрос слишком большой.",
        Code::HeadersTooLarge => "Заголовки запроса слишком велики.",
        Code::RequestTimeout => "Запрос поступал слишком долго.",
        Code::TooManyRequests => "Слишком много запросов. Подождите немного.",
        Code::ServiceUnavailable => "Сервис временно недоступен. Попробуйте ещё раз.",
        Code::IdempotencyMismatch => "Этот ключ идемпотентности уже использован для другого запроса.",
        Code::RequestInProgress => "Такой же запрос ещё обрабатывается.",
        Code::InvalidToken => "Войдите снова.",
        Code::InsufficientScope => "У вас нет разрешения на это действие.",
        Code::CardNotSupported => "Эта карта не поддерживается.",
        Code::CardExpired => "Срок действия карты истёк.",
        Code::BillingAddressRequired => "Сначала добавьте платёжный адрес карты.",
        Code::CardPending => "Карта ещё проверяется.",
        Code::TooManyCards => "Вы достигли максимального количества карт.",
        Code::OfferExpired => "Срок действия предложения истёк. Запросите новое.",
        Code::OfferAlreadyExecuted => "Предложение уже исполнено.",
        Code::OfferVersionConflict => "Предложение изменилось. Посмотрите его ещё раз.",
        Code::InsufficientFunds => "На вашем балансе недостаточно средств.",
        Code::LimitExceeded => "Это превысит ваш лимит.",
        Code::VelocityExceeded => "Слишком много выплат за короткое время. Попробуйте позже.",
        Code::AmountTooSmall => "Сумма слишком мала.",
        Code::AmountTooLarge => "Сумма слишком велика.",
        Code::PairNotSupported => "Эта пара валют не поддерживается.",
        Code::KycRequired => "Сначала подтвердите свою личность.",
        Code::CustomerBlocked => "Выплаты для вас заблокированы. Обратитесь в службу поддержки.",
        Code::RatesUnavailable => "Сейчас курс недоступен. Попробуйте ещё раз.",
        Code::ScreeningUnavailable => "Сейчас выплату невозможно проверить. Попробуйте ещё раз.",
        Code::TermsUnavailable => "Выплаты сейчас недоступны. Попробуйте позже.",
        Code::NoRoute => "Сейчас выплата невозможна. Попробуйте позже.",
        Code::CallbackNotVerified => "Не удалось проверить уведомление.",
    }
}

pub const fn fee_name(fee: FeeType) -> &'static str {
    match fee {
        FeeType::Transaction => "Комиссия за транзакцию",
        FeeType::Gas => "Комиссия сети",
        FeeType::Additional => "Дополнительная комиссия",
        FeeType::Partner => "Комиссия партнёра",
    }
}
