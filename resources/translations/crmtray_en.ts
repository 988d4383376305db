<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="es">
<context>
    <name></name>
    <message>
        <source>La dirección de {} debe empezar con https:// para que nadie pueda leer la contraseña.</source>
        <translation>The address for {} must start with https:// so that nobody else can read your password.</translation>
    </message>
    <message>
        <source>La dirección del servidor no es válida; debe ser como https://crm.ejemplo.com</source>
        <translation>The server address is not valid. It should look like https://crm.example.com</translation>
    </message>
    <message>
        <source>El correo o la contraseña no son correctos.</source>
        <translation>The email address or password is incorrect.</translation>
    </message>
    <message>
        <source>Demasiados intentos fallidos; se puede volver a probar en un minuto.</source>
        <translation>Too many failed attempts. Try again in a minute.</translation>
    </message>
    <message>
        <source>Esta notificación ya no existe.</source>
        <translation>This notification no longer exists.</translation>
    </message>
    <message>
        <source>No hay permiso para hacer esto.</source>
        <translation>You don’t have permission to do this.</translation>
    </message>
    <message>
        <source>El servidor no aceptó los datos; hay que revisarlos.</source>
        <translation>The server did not accept this. Check what you entered.</translation>
    </message>
    <message>
        <source>La sesión terminó; hay que volver a entrar.</source>
        <translation>Your session has ended. Please sign in again.</translation>
    </message>
    <message>
        <source>El CRM aceptó la contraseña, pero crmtray no entiende su respuesta; avisa a quien lo administra.</source>
        <translation>The CRM accepted the password, but crmtray could not understand its response. Please tell its administrator.</translation>
    </message>
    <message>
        <source>No se pudo conectar con {}; hay que revisar la conexión y la dirección del servidor.</source>
        <translation>Could not connect to {}. Check your connection and the server address.</translation>
    </message>
    <message>
        <source>El servidor no pudo hacerlo; hay que volver a intentarlo más tarde.</source>
        <translation>The server could not do this. Try again later.</translation>
    </message>
    <message>
        <source>El servidor no aceptó la operación.</source>
        <translation>The server rejected the request.</translation>
    </message>
    <message>
        <source>La respuesta no es de un servidor de crmtray; hay que revisar la dirección.</source>
        <translation>This does not seem to be a crmtray server. Check the address.</translation>
    </message>
    <message>
        <source>No hay un llavero del sistema donde guardar la sesión; durará hasta que se cierre crmtray.</source>
        <translation>There is no system keyring to keep you signed in. You will be signed out when crmtray closes.</translation>
    </message>
    <message>
        <source>El llavero del sistema no responde; hay que desbloquearlo para guardar la sesión.</source>
        <translation>The system keyring is not responding. Unlock it to stay signed in.</translation>
    </message>
    <message>
        <source>Ese enlace no lleva a una notificación de crmtray.</source>
        <translation>That link does not point to a crmtray notification.</translation>
    </message>
    <message>
        <source>No se pudo conectar con el proxy de la red; hay que revisar su dirección en la configuración.</source>
        <translation>Could not connect to the network proxy. Check its address in the configuration.</translation>
    </message>
    <message>
        <source>El certificado de seguridad de {} caducó; hay que avisar a quien administra el servidor.</source>
        <translation>The security certificate of {} has expired. Please tell the server’s administrator.</translation>
    </message>
    <message>
        <source>El certificado de seguridad de {} todavía no vale; hay que revisar la fecha de este equipo.</source>
        <translation>The security certificate of {} is not valid yet. Check the date on this computer.</translation>
    </message>
    <message>
        <source>El certificado de seguridad es de otro servidor, no de {}; hay que revisar la dirección.</source>
        <translation>The security certificate belongs to another server, not to {}. Check the address.</translation>
    </message>
    <message>
        <source>El certificado de seguridad de {} es de un emisor desconocido para este equipo; hay que avisar a quien administra el servidor.</source>
        <translation>The security certificate of {} comes from an issuer that this computer does not trust. Please tell the server’s administrator.</translation>
    </message>
    <message>
        <source>El certificado de seguridad de {} no es válido; hay que avisar a quien administra el servidor.</source>
        <translation>The security certificate of {} is not valid. Please tell the server’s administrator.</translation>
    </message>
    <message>
        <source>El proxy de la red pide usuario y contraseña; hay que ponerlos en la configuración.</source>
        <translation>The network proxy requires a user name and password. Add them to the configuration.</translation>
    </message>
    <message>
        <source>El proxy de la red no dejó pasar la conexión (respuesta {}); hay que avisar a quien lo administra.</source>
        <translation>The network proxy blocked the connection (response {}). Please tell its administrator.</translation>
    </message>
    <message>
        <source>Una acción llevaba semanas sin poder enviarse y se descartó.</source>
        <translation>An action could not be sent for several weeks and was discarded.</translation>
    </message>
    <message>
        <source>El servidor se restauró desde una copia; hay que volver a marcar o borrar todas.</source>
        <translation>The server was restored from a backup. Please mark or clear everything again.</translation>
    </message>
    <message>
        <source>ene</source>
        <translation>Jan</translation>
    </message>
    <message>
        <source>feb</source>
        <translation>Feb</translation>
    </message>
    <message>
        <source>mar</source>
        <translation>Mar</translation>
    </message>
    <message>
        <source>abr</source>
        <translation>Apr</translation>
    </message>
    <message>
        <source>may</source>
        <translation>May</translation>
    </message>
    <message>
        <source>jun</source>
        <translation>Jun</translation>
    </message>
    <message>
        <source>jul</source>
        <translation>Jul</translation>
    </message>
    <message>
        <source>ago</source>
        <translation>Aug</translation>
    </message>
    <message>
        <source>sep</source>
        <translation>Sep</translation>
    </message>
    <message>
        <source>oct</source>
        <translation>Oct</translation>
    </message>
    <message>
        <source>nov</source>
        <translation>Nov</translation>
    </message>
    <message>
        <source>dic</source>
        <translation>Dec</translation>
    </message>
    <message>
        <source>enero</source>
        <translation>January</translation>
    </message>
    <message>
        <source>febrero</source>
        <translation>February</translation>
    </message>
    <message>
        <source>marzo</source>
        <translation>March</translation>
    </message>
    <message>
        <source>abril</source>
        <translation>April</translation>
    </message>
    <message>
        <source>mayo</source>
        <translation>May</translation>
    </message>
    <message>
        <source>junio</source>
        <translation>June</translation>
    </message>
    <message>
        <source>julio</source>
        <translation>July</translation>
    </message>
    <message>
        <source>agosto</source>
        <translation>August</translation>
    </message>
    <message>
        <source>septiembre</source>
        <translation>September</translation>
    </message>
    <message>
        <source>octubre</source>
        <translation>October</translation>
    </message>
    <message>
        <source>noviembre</source>
        <translation>November</translation>
    </message>
    <message>
        <source>diciembre</source>
        <translation>December</translation>
    </message>
    <message>
        <source>lunes</source>
        <translation>Monday</translation>
    </message>
    <message>
        <source>martes</source>
        <translation>Tuesday</translation>
    </message>
    <message>
        <source>miércoles</source>
        <translation>Wednesday</translation>
    </message>
    <message>
        <source>jueves</source>
        <translation>Thursday</translation>
    </message>
    <message>
        <source>viernes</source>
        <translation>Friday</translation>
    </message>
    <message>
        <source>sábado</source>
        <translation>Saturday</translation>
    </message>
    <message>
        <source>domingo</source>
        <translation>Sunday</translation>
    </message>
    <message>
        <source>Ahora mismo</source>
        <translation>Just now</translation>
    </message>
    <message>
        <source>Hace {} min</source>
        <translation>{} min ago</translation>
    </message>
    <message>
        <source>Hace {} h</source>
        <translation>{} h ago</translation>
    </message>
    <message>
        <source>Hoy</source>
        <translation>Today</translation>
    </message>
    <message>
        <source>Ayer</source>
        <translation>Yesterday</translation>
    </message>
    <message>
        <source>hoy</source>
        <translation>today</translation>
    </message>
    <message>
        <source>mañana</source>
        <translation>tomorrow</translation>
    </message>
    <message>
        <source>ayer</source>
        <translation>yesterday</translation>
    </message>
    <message>
        <source>{} de {}</source>
        <translation>{} {}</translation>
    </message>
    <message>
        <source>Sesión cerrada</source>
        <translation>Signed out</translation>
    </message>
    <message>
        <source>No hay ninguna sesión iniciada.</source>
        <translation>Nobody is signed in.</translation>
    </message>
    <message>
        <source>La administración de este equipo solo permite el servidor {}</source>
        <translation>This computer’s administrator only allows the server {}</translation>
    </message>
    <message>
        <source>Conectando…</source>
        <translation>Connecting…</translation>
    </message>
    <message>
        <source>Sin conexión</source>
        <translation>Offline</translation>
    </message>
    <message>
        <source>En tiempo real</source>
        <translation>Live</translation>
    </message>
    <message>
        <source>Actualizando cada {}s</source>
        <translation>Updating every {}s</translation>
    </message>
    <message>
        <source>Urgente</source>
        <translation>Urgent</translation>
    </message>
    <message>
        <source>Alta</source>
        <translation>High</translation>
    </message>
    <message>
        <source>Media</source>
        <translation>Medium</translation>
    </message>
    <message>
        <source>Baja</source>
        <translation>Low</translation>
    </message>
    <message>
        <source>Conversación sin respuesta</source>
        <translation>Unanswered conversation</translation>
    </message>
    <message>
        <source>Lead caliente</source>
        <translation>Hot lead</translation>
    </message>
    <message>
        <source>Recordatorio</source>
        <translation>Reminder</translation>
    </message>
    <message>
        <source>Rendimiento</source>
        <translation>Performance</translation>
    </message>
    <message>
        <source>Mensaje del equipo</source>
        <translation>Team message</translation>
    </message>
    <message>
        <source>Asignada a {}</source>
        <translation>Assigned to {}</translation>
    </message>
    <message>
        <source>Sin leer</source>
        <translation>Unread</translation>
    </message>
    <message>
        <source>Llegó sin aviso</source>
        <translation>Delivered silently</translation>
    </message>
    <message>
        <source>Acciones: {}</source>
        <translation>Actions: {}</translation>
    </message>
    <message>
        <source>Al actualizar</source>
        <translation>On refresh</translation>
    </message>
    <message>
        <source>Correo</source>
        <translation>Email</translation>
    </message>
    <message>
        <source>Webhook</source>
        <translation>Webhook</translation>
    </message>
    <message>
        <source>enviada</source>
        <translation>sent</translation>
    </message>
    <message>
        <source>recibida</source>
        <translation>received</translation>
    </message>
    <message>
        <source>entregada</source>
        <translation>delivered</translation>
    </message>
    <message>
        <source>en espera</source>
        <translation>waiting</translation>
    </message>
    <message>
        <source>enviándose</source>
        <translation>sending</translation>
    </message>
    <message>
        <source>no hizo falta</source>
        <translation>not needed</translation>
    </message>
    <message>
        <source>falló</source>
        <translation>failed</translation>
    </message>
    <message>
        <source>Las que elegiste.</source>
        <translation>The ones you chose.</translation>
    </message>
    <message>
        <source>Las de tu puesto.</source>
        <translation>The defaults for your role.</translation>
    </message>
    <message>
        <source>Todavía a ninguno de tus equipos.</source>
        <translation>Not to any of your computers yet.</translation>
    </message>
    <message>
        <source>Tus preferencias cambiaron desde entonces.</source>
        <translation>Your preferences have changed since then.</translation>
    </message>
    <message>
        <source>Regla</source>
        <translation>Rule</translation>
    </message>
    <message>
        <source>Decisión</source>
        <translation>Decision</translation>
    </message>
    <message>
        <source>Se decidió</source>
        <translation>Decided</translation>
    </message>
    <message>
        <source>Preferencias</source>
        <translation>Preferences</translation>
    </message>
    <message>
        <source>Entregas</source>
        <translation>Deliveries</translation>
    </message>
    <message numerus="yes">
        <source>%n intentos</source>
        <translation>
            <numerusform>%n attempt</numerusform>
            <numerusform>%n attempts</numerusform>
        </translation>
    </message>
    <message>
        <source>Cliente</source>
        <translation>Customer</translation>
    </message>
    <message>
        <source>Teléfono</source>
        <translation>Phone</translation>
    </message>
    <message>
        <source>Vendedor</source>
        <translation>Seller</translation>
    </message>
    <message>
        <source>Probabilidad de conversión</source>
        <translation>Conversion probability</translation>
    </message>
    <message>
        <source>Valor estimado</source>
        <translation>Estimated value</translation>
    </message>
    <message>
        <source>Origen</source>
        <translation>Source</translation>
    </message>
    <message>
        <source>Sin respuesta desde hace</source>
        <translation>Unanswered for</translation>
    </message>
    <message>
        <source>Último mensaje</source>
        <translation>Last message</translation>
    </message>
    <message>
        <source>Programado para</source>
        <translation>Scheduled for</translation>
    </message>
    <message>
        <source>Plazo al avisar</source>
        <translation>Time left at alert</translation>
    </message>
    <message>
        <source>Notas</source>
        <translation>Notes</translation>
    </message>
    <message>
        <source>Sugerencia</source>
        <translation>Suggestion</translation>
    </message>
    <message>
        <source>Acción recomendada</source>
        <translation>Recommended action</translation>
    </message>
    <message>
        <source>Problema</source>
        <translation>Problem</translation>
    </message>
    <message>
        <source>Valor actual</source>
        <translation>Current value</translation>
    </message>
    <message>
        <source>Límite</source>
        <translation>Threshold</translation>
    </message>
    <message>
        <source>Período</source>
        <translation>Period</translation>
    </message>
    <message>
        <source>Impacto</source>
        <translation>Impact</translation>
    </message>
    <message>
        <source>Recomendación</source>
        <translation>Recommendation</translation>
    </message>
    <message>
        <source>De</source>
        <translation>From</translation>
    </message>
    <message>
        <source>N.º de cliente</source>
        <translation>Customer no.</translation>
    </message>
    <message>
        <source>N.º de conversación</source>
        <translation>Conversation no.</translation>
    </message>
    <message>
        <source>N.º de vendedor</source>
        <translation>Seller no.</translation>
    </message>
    <message>
        <source>Meta Ads</source>
        <translation>Meta Ads</translation>
    </message>
    <message>
        <source>Sitio web</source>
        <translation>Website</translation>
    </message>
    <message>
        <source>Referido</source>
        <translation>Referral</translation>
    </message>
    <message>
        <source>Contactar inmediatamente</source>
        <translation>Contact immediately</translation>
    </message>
    <message>
        <source>Tarda en responder</source>
        <translation>Slow to respond</translation>
    </message>
    <message>
        <source>Muchas conversaciones sin respuesta</source>
        <translation>Many unanswered conversations</translation>
    </message>
    <message>
        <source>Conversión baja</source>
        <translation>Low conversion</translation>
    </message>
    <message>
        <source>Alto</source>
        <translation>High</translation>
    </message>
    <message>
        <source>Medio</source>
        <translation>Medium</translation>
    </message>
    <message>
        <source>Bajo</source>
        <translation>Low</translation>
    </message>
    <message>
        <source>Sí</source>
        <translation>Yes</translation>
    </message>
    <message>
        <source>No</source>
        <translation>No</translation>
    </message>
    <message>
        <source>{} %</source>
        <translation>{}%</translation>
    </message>
    <message numerus="yes">
        <source>{} horas</source>
        <translation>
            <numerusform>{} hour</numerusform>
            <numerusform>{} hours</numerusform>
        </translation>
    </message>
    <message>
        <source>Vuelve {}</source>
        <translation>Back {}</translation>
    </message>
    <message>
        <source>En 1 hora</source>
        <translation>In 1 hour</translation>
    </message>
    <message>
        <source>Mañana {}</source>
        <translation>Tomorrow {}</translation>
    </message>
    <message>
        <source>Lunes {}</source>
        <translation>Monday {}</translation>
    </message>
    <message>
        <source>Asignado a {}.</source>
        <translation>Assigned to {}.</translation>
    </message>
    <message>
        <source>Asignado.</source>
        <translation>Assigned.</translation>
    </message>
    <message>
        <source>Llamada agendada para el {}.</source>
        <translation>Call scheduled for {}.</translation>
    </message>
    <message>
        <source>Llamada agendada.</source>
        <translation>Call scheduled.</translation>
    </message>
    <message>
        <source>Pospuesto para el {}.</source>
        <translation>Rescheduled for {}.</translation>
    </message>
    <message>
        <source>Pospuesto.</source>
        <translation>Rescheduled.</translation>
    </message>
    <message>
        <source>Reunión programada para el {}.</source>
        <translation>Meeting scheduled for {}.</translation>
    </message>
    <message>
        <source>Reunión programada.</source>
        <translation>Meeting scheduled.</translation>
    </message>
    <message>
        <source>Marcado como contactado.</source>
        <translation>Marked as contacted.</translation>
    </message>
    <message>
        <source>Mensaje enviado a {}.</source>
        <translation>Message sent to {}.</translation>
    </message>
    <message>
        <source>Mensaje enviado.</source>
        <translation>Message sent.</translation>
    </message>
    <message>
        <source>{} {} a las {}</source>
        <translation>{} {} at {}</translation>
    </message>
    <message>
        <source>No hay pantalla: mostrando las alertas en esta terminal (Ctrl+C para salir).</source>
        <translation>No display found: showing alerts in this terminal (Ctrl+C to quit).</translation>
    </message>
    <message>
        <source>Sesión iniciada en {}.</source>
        <translation>Signed in at {}.</translation>
    </message>
    <message>
        <source>Sesión cerrada.</source>
        <translation>Signed out.</translation>
    </message>
    <message>
        <source>Contraseña: </source>
        <translation>Password: </translation>
    </message>
    <message numerus="yes">
        <source>%n leads calientes</source>
        <translation>
            <numerusform>%n hot lead</numerusform>
            <numerusform>%n hot leads</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n sin responder</source>
        <translation>
            <numerusform>%n unanswered</numerusform>
            <numerusform>%n unanswered</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n seguimientos</source>
        <translation>
            <numerusform>%n follow-up</numerusform>
            <numerusform>%n follow-ups</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n alertas de rendimiento</source>
        <translation>
            <numerusform>%n performance alert</numerusform>
            <numerusform>%n performance alerts</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n otras</source>
        <translation>
            <numerusform>%n other</numerusform>
            <numerusform>%n others</numerusform>
        </translation>
    </message>
    <message>
        <source>Los clientes de este CRM de muestra escriben solos: cada alerta aparece aquí al momento.</source>
        <translation>The customers of this sample CRM write by themselves; every alert shows up here right away.</translation>
    </message>
    <message>
        <source>dirección</source>
        <translation>management</translation>
    </message>
    <message>
        <source>ventas</source>
        <translation>sales</translation>
    </message>
    <message>
        <source>secretaría</source>
        <translation>front office</translation>
    </message>
    <message>
        <source>administración</source>
        <translation>administration</translation>
    </message>
    <message>
        <source>… y antes: {}</source>
        <translation>… and earlier: {}</translation>
    </message>
    <message>
        <source>leída</source>
        <translation>read</translation>
    </message>
    <message>
        <source>sin leer</source>
        <translation>unread</translation>
    </message>
    <message>
        <source>pospuesta hasta {}</source>
        <translation>snoozed until {}</translation>
    </message>
    <message numerus="yes">
        <source>%n sin leer</source>
        <translation>
            <numerusform>%n unread</numerusform>
            <numerusform>%n unread</numerusform>
        </translation>
    </message>
    <message>
        <source>Sesión iniciada: {}</source>
        <translation>Signed in: {}</translation>
    </message>
    <message>
        <source>No hay notificaciones.</source>
        <translation>No notifications.</translation>
    </message>
    <message>
        <source>crmtray no pudo empezar.</source>
        <translation>crmtray could not start.</translation>
    </message>
</context>
<context>
    <name>ActionForm</name>
    <message>
        <source>Cancelar</source>
        <translation>Cancel</translation>
    </message>
</context>
<context>
    <name>Actions</name>
    <message>
        <source>Esa notificación ya no existe.</source>
        <translation>That notification no longer exists.</translation>
    </message>
    <message>
        <source>Esta versión de crmtray no conoce esa acción; hay que actualizarla.</source>
        <translation>This version of crmtray does not support that action. Please update it.</translation>
    </message>
    <message>
        <source>El CRM no tiene una dirección web configurada para esta acción.</source>
        <translation>The CRM has no web address set up for this action.</translation>
    </message>
    <message>
        <source>La dirección de esta acción no es una página web (http o https); no se abre.</source>
        <translation>The address for this action is not a web page (http or https), so it was not opened.</translation>
    </message>
    <message>
        <source>No se pudo abrir el navegador. La dirección es {}</source>
        <translation>The browser could not be opened. The address is {}</translation>
    </message>
    <message>
        <source>Posponer</source>
        <translation>Snooze</translation>
    </message>
</context>
<context>
    <name>AlertsPage</name>
    <message>
        <source>Español</source>
        <translation>Spanish</translation>
    </message>
    <message>
        <source>Inglés</source>
        <translation>English</translation>
    </message>
    <message>
        <source>La dirección que tiene el CRM</source>
        <translation>The address in the CRM</translation>
    </message>
    <message>
        <source>Borrar la dirección</source>
        <translation>Clear the address</translation>
    </message>
    <message>
        <source>Baja (todo)</source>
        <translation>Low (everything)</translation>
    </message>
    <message>
        <source>Media</source>
        <translation>Medium</translation>
    </message>
    <message>
        <source>Alta</source>
        <translation>High</translation>
    </message>
    <message>
        <source>Urgente (solo lo urgente)</source>
        <translation>Urgent only</translation>
    </message>
    <message>
        <source>Conversaciones sin respuesta</source>
        <translation>Unanswered conversations</translation>
    </message>
    <message>
        <source>Un cliente escribió y espera demasiado.</source>
        <translation>A customer has been waiting too long for a reply.</translation>
    </message>
    <message>
        <source>Leads calientes</source>
        <translation>Hot leads</translation>
    </message>
    <message>
        <source>Un lead muestra que quiere comprar.</source>
        <translation>A lead shows signs of wanting to buy.</translation>
    </message>
    <message>
        <source>Recordatorios de seguimiento</source>
        <translation>Follow-up reminders</translation>
    </message>
    <message>
        <source>Se acerca un seguimiento acordado.</source>
        <translation>A scheduled follow-up is coming up.</translation>
    </message>
    <message>
        <source>Alertas de rendimiento</source>
        <translation>Performance alerts</translation>
    </message>
    <message>
        <source>Los números de un vendedor bajan.</source>
        <translation>A seller’s numbers are dropping.</translation>
    </message>
    <message>
        <source>Prioridad mínima</source>
        <translation>Minimum priority</translation>
    </message>
    <message>
        <source>Lo que esté por debajo no se avisa.</source>
        <translation>You are not alerted to anything below this.</translation>
    </message>
    <message>
        <source>Mostrar avisos en pantalla</source>
        <translation>Show alerts on screen</translation>
    </message>
    <message>
        <source>Si no, todo llega en silencio a la lista.</source>
        <translation>If off, everything goes to the list silently.</translation>
    </message>
    <message>
        <source>Avisar también por correo</source>
        <translation>Also alert me by email</translation>
    </message>
    <message>
        <source>Cuando algo sigue sin leer.</source>
        <translation>When something stays unread.</translation>
    </message>
    <message>
        <source>Correo para los avisos</source>
        <translation>Email address for alerts</translation>
    </message>
    <message>
        <source>Horas de silencio</source>
        <translation>Quiet hours</translation>
    </message>
    <message>
        <source>Días de trabajo</source>
        <translation>Working days</translation>
    </message>
    <message>
        <source>Zona horaria</source>
        <translation>Time zone</translation>
    </message>
    <message>
        <source>Escribe una ciudad para buscarla.</source>
        <translation>Type a city to find it.</translation>
    </message>
    <message>
        <source>Idioma de los avisos</source>
        <translation>Alert language</translation>
    </message>
    <message>
        <source>Qué se avisa</source>
        <translation>What to alert me about</translation>
    </message>
    <message>
        <source>Cómo</source>
        <translation>How</translation>
    </message>
    <message>
        <source>Cuándo</source>
        <translation>When</translation>
    </message>
    <message>
        <source>Hora e idioma</source>
        <translation>Time and language</translation>
    </message>
    <message>
        <source>A cualquier hora se avisa en pantalla.</source>
        <translation>Alerts are shown at any time.</translation>
    </message>
    <message>
        <source>Las dos horas son iguales: así no hay ninguna hora de silencio.</source>
        <translation>Both times are the same, so there are no quiet hours.</translation>
    </message>
    <message>
        <source>Hasta la mañana siguiente; lo que llegue entonces queda en la lista, sin aviso.</source>
        <translation>Until the next morning. Anything that arrives then goes to the list without an alert.</translation>
    </message>
    <message>
        <source>Lo que llegue entonces queda en la lista, sin aviso.</source>
        <translation>Anything that arrives then goes to the list without an alert.</translation>
    </message>
    <message>
        <source>En los otros días todo llega en silencio.</source>
        <translation>On other days everything arrives silently.</translation>
    </message>
    <message>
        <source>Sin ningún día, todo llega en silencio.</source>
        <translation>With no days selected, everything arrives silently.</translation>
    </message>
    <message>
        <source>No se guardó. {}</source>
        <translation>Not saved. {}</translation>
    </message>
    <message>
        <source>El servidor no aceptó esta dirección; debe ser una sola, como ana@ejemplo.com.</source>
        <translation>The server did not accept this address. Enter a single one, like ana@example.com.</translation>
    </message>
    <message>
        <source>El servidor no conoce esta zona horaria; hay que elegir otra.</source>
        <translation>The server does not know this time zone. Choose another one.</translation>
    </message>
    <message>
        <source>El servidor no aceptó estas horas.</source>
        <translation>The server did not accept these hours.</translation>
    </message>
    <message>
        <source>El servidor no aceptó este valor.</source>
        <translation>The server did not accept this value.</translation>
    </message>
</context>
<context>
    <name>Center</name>
    <message>
        <source>Marcar todas como leídas</source>
        <translation>Mark all as read</translation>
    </message>
    <message>
        <source>Limpiar todas</source>
        <translation>Clear all</translation>
    </message>
    <message>
        <source>Sin conexión. Se muestra lo guardado; lo que se haga se enviará al volver la conexión.</source>
        <translation>Offline. Showing saved notifications; anything you do will be sent when you are back online.</translation>
    </message>
    <message>
        <source>Entendido</source>
        <translation>Got it</translation>
    </message>
    <message>
        <source>Esa notificación ya no existe.</source>
        <translation>That notification no longer exists.</translation>
    </message>
    <message>
        <source>Deshacer</source>
        <translation>Undo</translation>
    </message>
    <message>
        <source>Notificaciones borradas</source>
        <translation>Notifications cleared</translation>
    </message>
    <message>
        <source>Este escritorio no tiene bandeja del sistema; crmtray queda en esta ventana.</source>
        <translation>This desktop has no system tray, so crmtray stays in this window.</translation>
    </message>
</context>
<context>
    <name>ComputerPage</name>
    <message>
        <source> min</source>
        <translation> min</translation>
    </message>
    <message>
        <source>La del sistema</source>
        <translation>Same as system</translation>
    </message>
    <message>
        <source>Español</source>
        <translation>Spanish</translation>
    </message>
    <message>
        <source>Inglés</source>
        <translation>English</translation>
    </message>
    <message>
        <source>Quitar</source>
        <translation>Remove</translation>
    </message>
    <message>
        <source>Elegir…</source>
        <translation>Choose…</translation>
    </message>
    <message>
        <source>Abrir la carpeta</source>
        <translation>Open folder</translation>
    </message>
    <message>
        <source>Quitar el atajo</source>
        <translation>Remove shortcut</translation>
    </message>
    <message>
        <source>Abrir al entrar en este equipo</source>
        <translation>Start at login</translation>
    </message>
    <message>
        <source>Sonido con cada aviso</source>
        <translation>Play a sound with each alert</translation>
    </message>
    <message>
        <source>No molestar</source>
        <translation>Do not disturb</translation>
    </message>
    <message>
        <source>Repetir lo urgente hasta que lo vea</source>
        <translation>Repeat urgent alerts until I see them</translation>
    </message>
    <message>
        <source>Tres veces como mucho.</source>
        <translation>Up to three times.</translation>
    </message>
    <message>
        <source>Repetir cada</source>
        <translation>Repeat every</translation>
    </message>
    <message>
        <source>Idioma de la aplicación</source>
        <translation>App language</translation>
    </message>
    <message>
        <source>El de los avisos se elige en la otra página.</source>
        <translation>The alert language is set on the other page.</translation>
    </message>
    <message>
        <source>Atajo para abrir las notificaciones</source>
        <translation>Shortcut to open notifications</translation>
    </message>
    <message>
        <source>Pulsa las teclas en el campo.</source>
        <translation>Press the keys in the field.</translation>
    </message>
    <message>
        <source>Registros</source>
        <translation>Logs</translation>
    </message>
    <message>
        <source>Lo que pide soporte si algo falla.</source>
        <translation>Support will ask for these if something goes wrong.</translation>
    </message>
    <message>
        <source>Inicio</source>
        <translation>Startup</translation>
    </message>
    <message>
        <source>Avisos en pantalla</source>
        <translation>On-screen alerts</translation>
    </message>
    <message>
        <source>Aplicación</source>
        <translation>Application</translation>
    </message>
    <message>
        <source>Cuenta</source>
        <translation>Account</translation>
    </message>
    <message>
        <source>Esto es una demostración: no queda nada en este equipo.</source>
        <translation>This is a demo; nothing is kept on this computer.</translation>
    </message>
    <message>
        <source>Este escritorio no deja que un programa reserve teclas; en su configuración del teclado se puede asignar un atajo al comando crmtray.</source>
        <translation>This desktop does not let apps reserve keys. You can assign a shortcut to the command crmtray in its keyboard settings.</translation>
    </message>
    <message>
        <source>Desactivado: los avisos se ven en pantalla.</source>
        <translation>Off: alerts are shown on screen.</translation>
    </message>
    <message>
        <source>Persona</source>
        <translation>User</translation>
    </message>
    <message>
        <source>Nadie: la sesión no está iniciada</source>
        <translation>Not signed in</translation>
    </message>
    <message>
        <source>Servidor</source>
        <translation>Server</translation>
    </message>
    <message>
        <source>Ninguno todavía</source>
        <translation>None yet</translation>
    </message>
    <message>
        <source>Perfil</source>
        <translation>Profile</translation>
    </message>
    <message>
        <source>El normal</source>
        <translation>Default</translation>
    </message>
    <message>
        <source>Otro programa ya usa {}; hay que elegir otro atajo.</source>
        <translation>{} is already used by another program. Choose a different shortcut.</translation>
    </message>
    <message>
        <source>Un atajo lleva Ctrl, Alt, Mayús o Meta y otra tecla, como Ctrl + Alt + N.</source>
        <translation>A shortcut needs Ctrl, Alt, Shift or Meta plus another key, such as Ctrl + Alt + N.</translation>
    </message>
    <message>
        <source>No se pudo guardar en el archivo de configuración.</source>
        <translation>Could not save to the configuration file.</translation>
    </message>
    <message>
        <source>El sistema no lo permitió: {}</source>
        <translation>The system did not allow it: {}</translation>
    </message>
    <message>
        <source>La carpeta no se pudo crear: {}</source>
        <translation>Could not create the folder: {}</translation>
    </message>
    <message>
        <source>No hay un programa que abra {}</source>
        <translation>There is no program to open {}</translation>
    </message>
</context>
<context>
    <name>DaysField</name>
    <message>
        <source>lun</source>
        <translation>Mon</translation>
    </message>
    <message>
        <source>lunes</source>
        <translation>Monday</translation>
    </message>
    <message>
        <source>mar</source>
        <translation>Tue</translation>
    </message>
    <message>
        <source>martes</source>
        <translation>Tuesday</translation>
    </message>
    <message>
        <source>mié</source>
        <translation>Wed</translation>
    </message>
    <message>
        <source>miércoles</source>
        <translation>Wednesday</translation>
    </message>
    <message>
        <source>jue</source>
        <translation>Thu</translation>
    </message>
    <message>
        <source>jueves</source>
        <translation>Thursday</translation>
    </message>
    <message>
        <source>vie</source>
        <translation>Fri</translation>
    </message>
    <message>
        <source>viernes</source>
        <translation>Friday</translation>
    </message>
    <message>
        <source>sáb</source>
        <translation>Sat</translation>
    </message>
    <message>
        <source>sábado</source>
        <translation>Saturday</translation>
    </message>
    <message>
        <source>dom</source>
        <translation>Sun</translation>
    </message>
    <message>
        <source>domingo</source>
        <translation>Sunday</translation>
    </message>
</context>
<context>
    <name>Desk</name>
    <message>
        <source>Notificaciones — crmtray</source>
        <translation>Notifications — crmtray</translation>
    </message>
    <message>
        <source>Entrar — crmtray</source>
        <translation>Sign in — crmtray</translation>
    </message>
    <message>
        <source>Lo guardado en este equipo estaba dañado; se descarga de nuevo.</source>
        <translation>The data saved on this computer was damaged and is being downloaded again.</translation>
    </message>
    <message>
        <source>{} La invitación está en {}</source>
        <translation>{} The invitation was saved as {}</translation>
    </message>
    <message>
        <source>Abrir</source>
        <translation>Open</translation>
    </message>
    <message>
        <source>La invitación no se pudo guardar en {}: {}</source>
        <translation>The invitation could not be saved in {}: {}</translation>
    </message>
    <message>
        <source>No hay un programa que abra {}</source>
        <translation>There is no program to open {}</translation>
    </message>
    <message>
        <source>Sin conexión no se puede buscar esa notificación.</source>
        <translation>That notification cannot be looked up while you are offline.</translation>
    </message>
</context>
<context>
    <name>DetailsPane</name>
    <message>
        <source>Posponer</source>
        <translation>Snooze</translation>
    </message>
    <message>
        <source>Quitar</source>
        <translation>Remove</translation>
    </message>
    <message>
        <source>Volver</source>
        <translation>Back</translation>
    </message>
    <message>
        <source>Volver (Esc)</source>
        <translation>Back (Esc)</translation>
    </message>
    <message>
        <source>Detalle de la notificación: {}</source>
        <translation>Notification details: {}</translation>
    </message>
    <message>
        <source>Marcar como no leída</source>
        <translation>Mark as unread</translation>
    </message>
    <message>
        <source>Marcar como leída</source>
        <translation>Mark as read</translation>
    </message>
    <message>
        <source>Leída</source>
        <translation>Read</translation>
    </message>
    <message>
        <source>Sin leer</source>
        <translation>Unread</translation>
    </message>
    <message>
        <source>Pospuesta hasta {}</source>
        <translation>Snoozed until {}</translation>
    </message>
    <message>
        <source>Enviando…</source>
        <translation>Sending…</translation>
    </message>
    <message>
        <source>{} · Llegó sin aviso</source>
        <translation>{} · Delivered silently</translation>
    </message>
    <message>
        <source>Prioridad: {}</source>
        <translation>Priority: {}</translation>
    </message>
    <message>
        <source>Traer ahora</source>
        <translation>Bring back now</translation>
    </message>
    <message>
        <source>Elegir fecha y hora…</source>
        <translation>Choose date and time…</translation>
    </message>
</context>
<context>
    <name>Diagnostics</name>
    <message>
        <source>Revisando este equipo; puede tardar unos segundos…</source>
        <translation>Checking this computer; this may take a few seconds…</translation>
    </message>
    <message>
        <source>Diagnóstico copiado, sin contraseñas. Se puede pegar en un mensaje a soporte.</source>
        <translation>Diagnostics copied, without passwords. You can paste them into a message to support.</translation>
    </message>
    <message>
        <source>crmtray tuvo un fallo. El informe, sin contraseñas, está en {}</source>
        <translation>crmtray crashed. The report, without passwords, is in {}</translation>
    </message>
    <message>
        <source>Abrir la carpeta</source>
        <translation>Open folder</translation>
    </message>
    <message>
        <source>No hay un programa que abra {}</source>
        <translation>There is no program to open {}</translation>
    </message>
</context>
<context>
    <name>EmptyState</name>
    <message>
        <source>Reintentar</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>Quitar los filtros</source>
        <translation>Clear filters</translation>
    </message>
    <message>
        <source>Quitar la búsqueda</source>
        <translation>Clear search</translation>
    </message>
    <message>
        <source>Todo al día</source>
        <translation>All caught up</translation>
    </message>
    <message>
        <source>Cuando un cliente espere o un lead se caliente, aparecerá aquí.</source>
        <translation>When a customer is waiting or a lead heats up, you will see it here.</translation>
    </message>
    <message>
        <source>Todo leído</source>
        <translation>All read</translation>
    </message>
    <message>
        <source>No queda ninguna notificación sin leer.</source>
        <translation>You have no unread notifications.</translation>
    </message>
    <message>
        <source>Nada pospuesto</source>
        <translation>Nothing snoozed</translation>
    </message>
    <message>
        <source>Lo que se pospone espera aquí hasta su hora.</source>
        <translation>Snoozed notifications wait here until they are due.</translation>
    </message>
    <message>
        <source>Nada con estos filtros</source>
        <translation>Nothing matches these filters</translation>
    </message>
    <message>
        <source>Ninguna notificación de esta lista pasa los filtros elegidos.</source>
        <translation>Nothing in this list matches the filters you chose.</translation>
    </message>
    <message>
        <source>Sin resultados</source>
        <translation>No results</translation>
    </message>
    <message>
        <source>Ninguna notificación contiene esas palabras.</source>
        <translation>No notification contains those words.</translation>
    </message>
    <message>
        <source>Cargando…</source>
        <translation>Loading…</translation>
    </message>
    <message>
        <source>Buscando las notificaciones en el servidor.</source>
        <translation>Getting your notifications from the server.</translation>
    </message>
    <message>
        <source>Sin conexión</source>
        <translation>Offline</translation>
    </message>
    <message>
        <source>Todavía no se pudo leer nada del servidor; se vuelve a intentar solo.</source>
        <translation>Nothing could be loaded from the server yet. crmtray will keep trying.</translation>
    </message>
</context>
<context>
    <name>Filters</name>
    <message>
        <source>{}: {}</source>
        <translation>{}: {}</translation>
    </message>
    <message>
        <source>{}, {}</source>
        <translation>{}, {}</translation>
    </message>
    <message>
        <source>Otros tipos</source>
        <translation>Other types</translation>
    </message>
    <message>
        <source>Quitar los filtros</source>
        <translation>Clear filters</translation>
    </message>
    <message>
        <source>{} ({})</source>
        <translation>{} ({})</translation>
    </message>
    <message>
        <source>Prioridad</source>
        <translation>Priority</translation>
    </message>
    <message>
        <source>Prioridad: {}</source>
        <translation>Priority: {}</translation>
    </message>
    <message>
        <source>todas</source>
        <translation>all</translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message>
        <source>Conectando…</source>
        <translation>Connecting…</translation>
    </message>
    <message>
        <source>Notificaciones</source>
        <translation>Notifications</translation>
    </message>
    <message>
        <source>Qué se muestra</source>
        <translation>What is shown</translation>
    </message>
    <message>
        <source>Todas</source>
        <translation>All</translation>
    </message>
    <message>
        <source>Buscar en las notificaciones</source>
        <translation>Search notifications</translation>
    </message>
    <message>
        <source>Buscar (Ctrl+F)</source>
        <translation>Search (Ctrl+F)</translation>
    </message>
    <message>
        <source>Menú</source>
        <translation>Menu</translation>
    </message>
    <message>
        <source>Cerrar (Esc)</source>
        <translation>Close (Esc)</translation>
    </message>
    <message numerus="yes">
        <source>%n sin leer</source>
        <translation>
            <numerusform>%n unread</numerusform>
            <numerusform>%n unread</numerusform>
        </translation>
    </message>
    <message>
        <source>Sin leer</source>
        <translation>Unread</translation>
    </message>
    <message>
        <source>Pospuestas</source>
        <translation>Snoozed</translation>
    </message>
</context>
<context>
    <name>HoursField</name>
    <message>
        <source>De</source>
        <translation>From</translation>
    </message>
    <message>
        <source>a</source>
        <translation>to</translation>
    </message>
    <message>
        <source>Comienzo de las horas de silencio</source>
        <translation>Start of quiet hours</translation>
    </message>
    <message>
        <source>Fin de las horas de silencio</source>
        <translation>End of quiet hours</translation>
    </message>
</context>
<context>
    <name>ItemMenu</name>
    <message>
        <source>Marcar como no leída</source>
        <translation>Mark as unread</translation>
    </message>
    <message>
        <source>Marcar como leída</source>
        <translation>Mark as read</translation>
    </message>
    <message>
        <source>Posponer</source>
        <translation>Snooze</translation>
    </message>
    <message>
        <source>Traer ahora</source>
        <translation>Bring back now</translation>
    </message>
    <message>
        <source>Elegir fecha y hora…</source>
        <translation>Choose date and time…</translation>
    </message>
    <message>
        <source>Copiar texto</source>
        <translation>Copy text</translation>
    </message>
    <message>
        <source>Quitar</source>
        <translation>Remove</translation>
    </message>
</context>
<context>
    <name>Login</name>
    <message>
        <source>La sesión durará hasta que cierres crmtray. ¿Continuar?</source>
        <translation>You will only stay signed in until you close crmtray. Continue?</translation>
    </message>
</context>
<context>
    <name>LoginWindow</name>
    <message>
        <source>https://crm.ejemplo.com</source>
        <translation>https://crm.example.com</translation>
    </message>
    <message>
        <source>nombre@empresa.com</source>
        <translation>name@company.com</translation>
    </message>
    <message>
        <source>Servidor</source>
        <translation>Server</translation>
    </message>
    <message>
        <source>Correo electrónico</source>
        <translation>Email</translation>
    </message>
    <message>
        <source>Contraseña</source>
        <translation>Password</translation>
    </message>
    <message>
        <source>Las alertas de tu CRM, al momento.</source>
        <translation>Your CRM alerts, in real time.</translation>
    </message>
    <message>
        <source>Entrar</source>
        <translation>Sign in</translation>
    </message>
    <message>
        <source>Entrando…</source>
        <translation>Signing in…</translation>
    </message>
    <message>
        <source>Continuar</source>
        <translation>Continue</translation>
    </message>
    <message>
        <source>Cancelar</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>Falta la dirección del servidor.</source>
        <translation>Enter the server address.</translation>
    </message>
    <message>
        <source>Falta el correo electrónico.</source>
        <translation>Enter your email address.</translation>
    </message>
    <message>
        <source>Falta la contraseña.</source>
        <translation>Enter your password.</translation>
    </message>
</context>
<context>
    <name>MessageField</name>
    <message>
        <source>Mensaje para el vendedor</source>
        <translation>Message for the seller</translation>
    </message>
    <message>
        <source>Mensaje</source>
        <translation>Message</translation>
    </message>
    <message>
        <source>Falta escribir el mensaje.</source>
        <translation>Write a message first.</translation>
    </message>
    <message>
        <source>El mensaje es demasiado largo; el máximo son {} caracteres.</source>
        <translation>The message is too long. The limit is {} characters.</translation>
    </message>
</context>
<context>
    <name>MomentField</name>
    <message>
        <source>Fecha y hora</source>
        <translation>Date and time</translation>
    </message>
    <message>
        <source>Ese momento ya pasó; hay que elegir uno futuro.</source>
        <translation>That time has already passed. Choose a later one.</translation>
    </message>
</context>
<context>
    <name>News</name>
    <message>
        <source>Ver</source>
        <translation>View</translation>
    </message>
</context>
<context>
    <name>NotificationDelegate</name>
    <message>
        <source>Marcar como leída</source>
        <translation>Mark as read</translation>
    </message>
</context>
<context>
    <name>NotificationList</name>
    <message>
        <source>Notificaciones</source>
        <translation>Notifications</translation>
    </message>
</context>
<context>
    <name>Quiet</name>
    <message>
        <source>No molestar (del sistema)</source>
        <translation>Do not disturb (system)</translation>
    </message>
    <message>
        <source>No molestar hasta las {}</source>
        <translation>Do not disturb until {}</translation>
    </message>
    <message>
        <source>No molestar hasta mañana a las {}</source>
        <translation>Do not disturb until tomorrow at {}</translation>
    </message>
    <message>
        <source>No molestar hasta el {}</source>
        <translation>Do not disturb until {}</translation>
    </message>
</context>
<context>
    <name>QuietMenu</name>
    <message>
        <source>No molestar</source>
        <translation>Do not disturb</translation>
    </message>
    <message numerus="yes">
        <source>%n minutos</source>
        <translation>
            <numerusform>%n minute</numerusform>
            <numerusform>%n minutes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n horas</source>
        <translation>
            <numerusform>%n hour</numerusform>
            <numerusform>%n hours</numerusform>
        </translation>
    </message>
    <message>
        <source>Hasta mañana a las {}</source>
        <translation>Until tomorrow at {}</translation>
    </message>
    <message>
        <source>Desactivar</source>
        <translation>Turn off</translation>
    </message>
</context>
<context>
    <name>Row</name>
    <message>
        <source>Lo decidió la administración de este equipo; aquí no se puede cambiar.</source>
        <translation>Set by this computer’s administrator; it cannot be changed here.</translation>
    </message>
</context>
<context>
    <name>SellerField</name>
    <message>
        <source>Buscar por nombre</source>
        <translation>Search by name</translation>
    </message>
    <message>
        <source>Vendedores</source>
        <translation>Sellers</translation>
    </message>
    <message>
        <source>Cargando vendedores…</source>
        <translation>Loading sellers…</translation>
    </message>
    <message>
        <source>Reintentar</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>No se pudo cargar la lista de vendedores. {}</source>
        <translation>The list of sellers could not be loaded. {}</translation>
    </message>
    <message>
        <source>No hay otros vendedores a quienes asignar.</source>
        <translation>There is no other seller to assign this to.</translation>
    </message>
    <message>
        <source>Falta elegir un vendedor.</source>
        <translation>Choose a seller.</translation>
    </message>
</context>
<context>
    <name>SettingsWindow</name>
    <message>
        <source>Configuración — crmtray</source>
        <translation>Settings — crmtray</translation>
    </message>
    <message>
        <source>Páginas</source>
        <translation>Pages</translation>
    </message>
    <message>
        <source>Avisos</source>
        <translation>Alerts</translation>
    </message>
    <message>
        <source>Este equipo</source>
        <translation>This computer</translation>
    </message>
    <message>
        <source>Reintentar</source>
        <translation>Try again</translation>
    </message>
    <message>
        <source>Cerrar</source>
        <translation>Close</translation>
    </message>
    <message>
        <source>Los cambios se guardan al momento.</source>
        <translation>Changes are saved immediately.</translation>
    </message>
    <message>
        <source>Guardando…</source>
        <translation>Saving…</translation>
    </message>
    <message>
        <source>Cargando tus preferencias…</source>
        <translation>Loading your preferences…</translation>
    </message>
    <message>
        <source>Cuando inicies la sesión, aquí se elige qué se avisa y cómo.</source>
        <translation>Once you sign in, this is where you choose what to be alerted about, and how.</translation>
    </message>
    <message>
        <source>Sin conexión. Se muestra lo último que se supo; se podrá cambiar cuando vuelva.</source>
        <translation>Offline. Showing your last known preferences; you can change them when you are back online.</translation>
    </message>
    <message>
        <source>Sin conexión. Tus preferencias se verán aquí cuando vuelva.</source>
        <translation>Offline. Your preferences will appear here when you are back online.</translation>
    </message>
    <message>
        <source>No se pudieron cargar tus preferencias. {}</source>
        <translation>Your preferences could not be loaded. {}</translation>
    </message>
    <message>
        <source>No se guardó.</source>
        <translation>Not saved.</translation>
    </message>
    <message>
        <source>Guardado</source>
        <translation>Saved</translation>
    </message>
</context>
<context>
    <name>ShortcutField</name>
    <message>
        <source>Pulsa las teclas</source>
        <translation>Press the keys</translation>
    </message>
    <message>
        <source>Ninguno</source>
        <translation>None</translation>
    </message>
</context>
<context>
    <name>ToastWindow</name>
    <message>
        <source>Urgente</source>
        <translation>Urgent</translation>
    </message>
    <message>
        <source>Cerrar</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>ToastWriter</name>
    <message>
        <source>Abrir</source>
        <translation>Open</translation>
    </message>
    <message>
        <source>Mientras no molestaban</source>
        <translation>While do not disturb was on</translation>
    </message>
    <message numerus="yes">
        <source>%n notificaciones nuevas</source>
        <translation>
            <numerusform>%n more notification</numerusform>
            <numerusform>%n new notifications</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message>
        <source>Conectando…</source>
        <translation>Connecting…</translation>
    </message>
    <message>
        <source>Abrir notificaciones</source>
        <translation>Open notifications</translation>
    </message>
    <message>
        <source>Entrar…</source>
        <translation>Sign in…</translation>
    </message>
    <message>
        <source>Marcar todas como leídas</source>
        <translation>Mark all as read</translation>
    </message>
    <message>
        <source>Configuración…</source>
        <translation>Settings…</translation>
    </message>
    <message>
        <source>Copiar diagnóstico</source>
        <translation>Copy diagnostics</translation>
    </message>
    <message>
        <source>Cerrar sesión</source>
        <translation>Sign out</translation>
    </message>
    <message>
        <source>Salir</source>
        <translation>Quit</translation>
    </message>
    <message>
        <source>Sesión no iniciada</source>
        <translation>Not signed in</translation>
    </message>
    <message>
        <source>nada sin leer</source>
        <translation>nothing unread</translation>
    </message>
    <message numerus="yes">
        <source>%n sin leer</source>
        <translation>
            <numerusform>%n unread</numerusform>
            <numerusform>%n unread</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Why</name>
    <message>
        <source>¿Por qué recibí esto?</source>
        <translation>Why did I get this?</translation>
    </message>
    <message>
        <source>Preguntando al servidor…</source>
        <translation>Asking the server…</translation>
    </message>
    <message>
        <source>Sin conexión con el servidor no se puede saber.</source>
        <translation>This cannot be answered without a connection to the server.</translation>
    </message>
    <message>
        <source>El servidor ya no tiene esta notificación, o todavía no sabe explicarla.</source>
        <translation>The server no longer has this notification, or cannot explain it yet.</translation>
    </message>
    <message>
        <source>Volver a preguntar</source>
        <translation>Ask again</translation>
    </message>
    <message>
        <source>El servidor no dio ninguna explicación.</source>
        <translation>The server gave no explanation.</translation>
    </message>
</context>
<context>
    <name>ZoneBox</name>
    <message>
        <source>La de la empresa</source>
        <translation>Company time zone</translation>
    </message>
</context>
<context>
    <name>_Question</name>
    <message>
        <source>Abrir una página — crmtray</source>
        <translation>Open a page — crmtray</translation>
    </message>
    <message>
        <source>Este enlace lleva a {}, que no es el servidor del CRM.</source>
        <translation>This link goes to {}, which is not your CRM server.</translation>
    </message>
    <message>
        <source>Abrir</source>
        <translation>Open</translation>
    </message>
    <message>
        <source>Cancelar</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>Es del CRM: no volver a preguntar</source>
        <translation>It belongs to the CRM: don’t ask again</translation>
    </message>
</context>
</TS>
