//! Spanish.

use super::super::error::Code;
use super::super::v4::FeeType;

/// Before a limit that is shown.
pub const LIMIT: &str = "Límite";

pub const fn message(code: Code) -> &'static str {
    match code {
        Code::Common => "Se ha producido un error por nuestra parte. Inténtelo más tarde.",
        Code::NotValidRequestData => "La solicitud no es válida.",
        Code::NotFound => "Aquí no hay nada con ese nombre.",
        Code::MethodNotAllowed => "Esta operación no es posible aquí.",
        Code::RequestTooLarge => "La solicitud es demasiado grande.",
        Code::HeadersTooLarge => "Las cabeceras de la solicitud son demasiado grandes.",
        Code::RequestTimeout => "La solicitud ha tardado demasiado en llegar.",
        Code::TooManyRequests => "Demasiadas solicitudes. Espere un momento.",
        Code::ServiceUnavailable => "El servicio no está disponible en este momento. Inténtelo de nuevo.",
        Code::IdempotencyMismatch => "Esta clave de idempotencia se usó para otra solicitud.",
        Code::RequestInProgress => "La misma solicitud todavía se está procesando.",
        Code::InvalidToken => "Inicie sesión de nuevo.",
        Code::InsufficientScope => "No tiene permiso para hacer esto.",
        Code::CardNotSupported => "Esta tarjeta no es compatible.",
        Code::CardExpired => "La tarjeta ha caducado.",
        Code::BillingAddressRequired => "Añada primero la dirección de facturación de la tarjeta.",
        Code::CardPending => "La tarjeta todavía se está comprobando.",
        Code::TooManyCards => "Ha alcanzado el número máximo de tarjetas.",
        Code::OfferExpired => "La oferta ha caducado. Solicite una nueva.",
        Code::OfferAlreadyExecuted => "La oferta ya se ha ejecutado.",
        Code::OfferVersionConflict => "La oferta ha cambiado. Revísela de nuevo.",
        Code::InsufficientFunds => "No hay fondos suficientes en su saldo.",
        Code::LimitExceeded => "Se superaría su límite.",
        Code::VelocityExceeded => "Demasiados pagos en poco tiempo. Inténtelo más tarde.",
        Code::AmountTooSmall => "El importe es demasiado pequeño.",
        Code::AmountTooLarge => "El importe es demasiado grande.",
        Code::PairNotSupported => "Este par de divisas no es compatible.",
        Code::KycRequired => "Verifique primero su identidad.",
        Code::CustomerBlocked => "Los pagos están bloqueados para usted. Contacte con el servicio de atención.",
        Code::RatesUnavailable => "No hay cotización en este momento. Inténtelo de nuevo.",
        Code::ScreeningUnavailable => "El pago no se puede comprobar en este momento. Inténtelo de nuevo.",
        Code::TermsUnavailable => "Los pagos no están disponibles en este momento. Inténtelo de nuevo más tarde.",
        Code::NoRoute => "El pago no se puede realizar en este momento. Inténtelo más tarde.",
        Code::CallbackNotVerified => "No se ha podido verificar la notificación.",
    }
}

pub const fn fee_name(fee: FeeType) -> &'static str {
    match fee {
        FeeType::Transaction => "Comisión por transacción",
        FeeType::Gas => "Gas de la red",
        FeeType::Additional => "Comisión adicional",
        FeeType::Partner => "Comisión del socio",
    }
}
