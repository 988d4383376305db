<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="es" sourcelanguage="es">
<context>
    <name></name>
    <message numerus="yes">
        <source>%n leads calientes</source>
        <translation>
            <numerusform>%n lead caliente</numerusform>
            <numerusform>%n leads calientes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n sin responder</source>
        <translation>
            <numerusform>%n sin responder</numerusform>
            <numerusform>%n sin responder</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n seguimientos</source>
        <translation>
            <numerusform>%n seguimiento</numerusform>
            <numerusform>%n seguimientos</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n alertas de rendimiento</source>
        <translation>
            <numerusform>%n alerta de rendimiento</numerusform>
            <numerusform>%n alertas de rendimiento</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n otras</source>
        <translation>
            <numerusform>%n otra</numerusform>
            <numerusform>%n otras</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n intentos</source>
        <translation>
            <numerusform>%n intento</numerusform>
            <numerusform>%n intentos</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{} horas</source>
        <translation>
            <numerusform>{} hora</numerusform>
            <numerusform>{} horas</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n sin leer</source>
        <translation>
            <numerusform>%n sin leer</numerusform>
            <numerusform>%n sin leer</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message numerus="yes">
        <source>%n sin leer</source>
        <translation>
            <numerusform>%n sin leer</numerusform>
            <numerusform>%n sin leer</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>QuietMenu</name>
    <message numerus="yes">
        <source>%n minutos</source>
        <translation>
            <numerusform>%n minuto</numerusform>
            <numerusform>%n minutos</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n horas</source>
        <translation>
            <numerusform>%n hora</numerusform>
            <numerusform>%n horas</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ToastWriter</name>
    <message numerus="yes">
        <source>%n notificaciones nuevas</source>
        <translation>
            <numerusform>%n notificación más</numerusform>
            <numerusform>%n notificaciones nuevas</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message numerus="yes">
        <source>%n sin leer</source>
        <translation>
            <numerusform>%n sin leer</numerusform>
            <numerusform>%n sin leer</numerusform>
        </translation>
    </message>
</context>
</TS>
