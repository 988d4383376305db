-- The CRM of a car dealer, as docs/mapping.md maps it. PostgreSQL.

CREATE TABLE sucursales (
  codigo uuid PRIMARY KEY,
  nombre text NOT NULL,
  huso text NOT NULL                        -- 'America/Bogota'
);

CREATE TABLE personal (
  legajo uuid PRIMARY KEY,
  sucursal uuid NOT NULL REFERENCES sucursales,
  nombre_completo text NOT NULL,
  correo text NOT NULL,
  puesto text NOT NULL,                     -- GERENTE, VENDEDOR, RECEPCION, SISTEMAS
  estado char(1) NOT NULL DEFAULT 'A'       -- A: alta, B: baja
);

CREATE TABLE oportunidades (
  nro uuid PRIMARY KEY,
  sucursal uuid NOT NULL REFERENCES sucursales,
  contacto text NOT NULL,                   -- 'Rodríguez, Carlos'
  telefono text NOT NULL,
  canal text,                               -- facebook, recomendado, web, mostrador
  ciudad text,
  etapa smallint NOT NULL,                  -- 1 nueva, 2 calificada, 3 presupuesto, 8 ganada, 9 perdida
  vendedor uuid REFERENCES personal,
  importe_centavos bigint,
  proximo_contacto timestamp,               -- the branch's own clock, without an offset
  observaciones text,
  ganada_el timestamptz,
  borrada_el timestamptz                    -- rows are never deleted, only marked
);

CREATE TABLE charlas (
  id uuid PRIMARY KEY,
  oportunidad uuid NOT NULL REFERENCES oportunidades,
  vendedor uuid REFERENCES personal,
  abierta boolean NOT NULL DEFAULT true,
  borrada_el timestamptz
);

CREATE TABLE eventos_chat (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  charla uuid NOT NULL REFERENCES charlas,
  tipo text NOT NULL,                       -- mensaje, nota, asignacion
  sentido text,                             -- in, out; notes have none
  ts_ms bigint NOT NULL,                    -- milliseconds since 1970
  contenido jsonb NOT NULL                  -- {"texto": "…"}
);

CREATE TABLE indicadores_diarios (
  vendedor uuid NOT NULL REFERENCES personal,
  dia date NOT NULL,
  respuesta_promedio_seg integer,           -- seconds
  conversion_pct numeric(5, 2),             -- per cent
  oportunidades integer NOT NULL,
  PRIMARY KEY (vendedor, dia)
);

-- What the queries of the mapping look for.
CREATE INDEX eventos_chat_mensajes ON eventos_chat (charla, ts_ms) WHERE tipo = 'mensaje';
CREATE INDEX charlas_abiertas ON charlas (vendedor) WHERE abierta AND borrada_el IS NULL;
CREATE INDEX charlas_oportunidad ON charlas (oportunidad);
CREATE INDEX oportunidades_proximo ON oportunidades (proximo_contacto) WHERE proximo_contacto IS NOT NULL;
