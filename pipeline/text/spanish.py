"""The words of Spanish: the tables of es (Spain), and the entries of es-419 (the Americas) that differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.text.spanish_abbreviations import ABBREVIATIONS, ACTS, BEFORE_LETTER, BEFORE_NAME, BEFORE_NUMBER, RULINGS, SIDES
from pipeline.text.words import Noun, Words, currencies, greek_names, letter_names, listed, nouns, pairs, with_capitals, words

SPAIN: Final = Words(
    locale="es",
    conjunction="y",
    minus="menos",
    separators={",": "coma", ".": "punto"},
    of="de",
    to="a",
    by="por",
    times=Noun("vez", "veces", feminine=True),
    hour=Noun("hora", "horas", feminine=True),
    minute=Noun("minuto", "minutos"),
    second=Noun("segundo", "segundos"),
    half=Noun("medio", "media"),
    months=listed("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    first_of_month="uno",
    number_sign="número",
    symbols=pairs("""
        & → y
        + → más
        = → igual a
        @ → arroba
        % → por ciento
        ‰ → por mil
        § → párrafo
        §§ → párrafos
        × → por
        ÷ → dividido por
        ± → más menos
        < → menor que
        > → mayor que
        ≤ → menor o igual que
        ≥ → mayor o igual que
        ≠ → distinto de
        ∞ → infinito
        √ → raíz cuadrada de
        ∛ → raíz cúbica de
        ∑ → sumatorio de
        ∫ → integral de
        ∈ → pertenece a
        ∉ → no pertenece a
        ∪ → unión
        ∩ → intersección
        ° → grados
        ² → al cuadrado
        ³ → al cubo
        $ → dólares
        € → euros
        £ → libras
        ¥ → yenes
        ¢ → centavos
    """),
    in_addresses=pairs("""
        @ → arroba
        . → punto
        / → barra
        - → guion
        _ → guion bajo
        + → más
        = → igual
        & → y
        % → por ciento
        # → almohadilla
        ~ → virgulilla
        : → dos puntos
    """),
    tag="hashtag",
    slash="barra",
    all_day="veinticuatro siete",
    day_parts=("de la mañana", "de la tarde", "de la noche"),
    night_from=8,
    pressure="sobre",
    before_pressure=words("pa ta"),
    every="en",
    before_date=words("día días el del al en de hasta desde"),
    before_score=words(
        "por venció vencieron vence terminó ganaron ganaba gana perdieron perdía pierde empataron golearon acabó ganó perdió empató goleó vencer"
        " ganar perder empatar empate victoria derrota marcador resultado partido"
    ),
    currencies=currencies("""
        € | EUR → euro, euros; céntimo, céntimos
        US$ | U$ | USD | $ → dólar, dólares; centavo, centavos
        £ | GBP → libra, libras, feminine; penique, peniques
        ¥ | JPY → yen, yenes; sen, sen
        R$ | BRL → real, reales; centavo, centavos
        C$ | CA$ | CAD → dólar canadiense, dólares canadienses; centavo, centavos
        A$ | AU$ | AUD → dólar australiano, dólares australianos; centavo, centavos
        MX$ | Mex$ → peso mexicano, pesos mexicanos; centavo, centavos
        AR$ | ARS → peso argentino, pesos argentinos; centavo, centavos
        S/ | S/. → sol, soles; céntimo, céntimos
        CHF → franco suizo, francos suizos; céntimo, céntimos
        MXN → peso, pesos; centavo, centavos
    """),
    before_one=words("el la del al un una cada este ese esta esa su por"),
    magnitudes=pairs("""
        mil | k | K → mil
        mil millones | mil M | mil mill. | B | bn → mil millones
        M | MM | mm | mill. | millón | millones → millones
        T | billón | billones → billones
    """),
    units=with_capitals(nouns("""
        km | Km | KM → kilómetro, kilómetros
        m → metro, metros
        cm → centímetro, centímetros
        mm → milímetro, milímetros
        dm → decímetro, decímetros
        nm → nanómetro, nanómetros
        µm → micrómetro, micrómetros
        m² | m2 → metro cuadrado, metros cuadrados
        km² | km2 → kilómetro cuadrado, kilómetros cuadrados
        cm² | cm2 → centímetro cuadrado, centímetros cuadrados
        mm² | mm2 → milímetro cuadrado, milímetros cuadrados
        dm³ | dm3 → decímetro cúbico, decímetros cúbicos
        mm³ | mm3 → milímetro cúbico, milímetros cúbicos
        km³ | km3 → kilómetro cúbico, kilómetros cúbicos
        hm³ | hm3 → hectómetro cúbico, hectómetros cúbicos
        m³ | m3 → metro cúbico, metros cúbicos
        cm³ | cm3 → centímetro cúbico, centímetros cúbicos
        ha → hectárea, hectáreas, feminine
        km/h | Km/h | KM/H → kilómetro por hora, kilómetros por hora
        m/s → metro por segundo, metros por segundo
        m/s² | m/s2 → metro por segundo al cuadrado, metros por segundo al cuadrado
        kg | kgs | Kg | Kgs | KG → kilo, kilos
        g → gramo, gramos
        mg → miligramo, miligramos
        µg | mcg → microgramo, microgramos
        t → tonelada, toneladas, feminine
        l | L → litro, litros
        ml | mL → mililitro, mililitros
        cl | cL → centilitro, centilitros
        dl | dL → decilitro, decilitros
        h | hs | hrs → hora, horas, feminine
        min → minuto, minutos
        s | seg → segundo, segundos
        ms → milisegundo, milisegundos
        °C | ºC | ° C → grado celsius, grados celsius
        °F | ºF | ° F → grado fahrenheit, grados fahrenheit
        ° → grado, grados
        W → vatio, vatios
        kW → kilovatio, kilovatios
        MW → megavatio, megavatios
        GW → gigavatio, gigavatios
        kWh → kilovatio hora, kilovatios hora
        V → voltio, voltios
        Hz → hercio, hercios
        kHz → kilohercio, kilohercios
        MHz → megahercio, megahercios
        GHz → gigahercio, gigahercios
        dB → decibelio, decibelios
        KB | kB → kilobyte, kilobytes
        MB → megabyte, megabytes
        GB → gigabyte, gigabytes
        TB → terabyte, terabytes
        kb | Kb | kbit | Kbit → kilobit, kilobits
        Mb | Mbit → megabit, megabits
        Gb | Gbit → gigabit, gigabits
        Tb | Tbit → terabit, terabits
        bps | bit/s | bits/s | b/s → bit por segundo, bits por segundo
        kbps | Kbps | kb/s | Kb/s | kbit/s | Kbit/s | kbits/s → kilobit por segundo, kilobits por segundo
        Mbps | Mb/s | Mbit/s | Mbits/s → megabit por segundo, megabits por segundo
        Gbps | Gb/s | Gbit/s | Gbits/s → gigabit por segundo, gigabits por segundo
        Tbps | Tb/s | Tbit/s | Tbits/s → terabit por segundo, terabits por segundo
        B/s → byte por segundo, bytes por segundo
        kBps | KBps | kB/s | KB/s → kilobyte por segundo, kilobytes por segundo
        MBps | MB/s → megabyte por segundo, megabytes por segundo
        GBps | GB/s → gigabyte por segundo, gigabytes por segundo
        TBps | TB/s → terabyte por segundo, terabytes por segundo
        Ω → ohmio, ohmios
        kΩ → kilohmio, kilohmios
        MΩ → megaohmio, megaohmios
        mAh → miliamperio hora, miliamperios hora
        mA → miliamperio, miliamperios
        mV → milivoltio, milivoltios
        kV → kilovoltio, kilovoltios
        mW → milivatio, milivatios
        MWh → megavatio hora, megavatios hora
        GWh → gigavatio hora, gigavatios hora
        TWh → teravatio hora, teravatios hora
        kJ → kilojulio, kilojulios
        Pa → pascal, pascales
        kPa → kilopascal, kilopascales
        hPa → hectopascal, hectopascales
        mmHg → milímetro de mercurio, milímetros de mercurio
        rpm → revolución por minuto, revoluciones por minuto, feminine
        lpm → latido por minuto, latidos por minuto
        mol → mol, moles
        ppm → parte por millón, partes por millón, feminine
        ng → nanogramo, nanogramos
        pg → picogramo, picogramos
        µL → microlitro, microlitros
        µmol → micromol, micromoles
        nmol → nanomol, nanomoles
        µUI → microunidad internacional, microunidades internacionales, feminine
        mUI → miliunidad internacional, miliunidades internacionales, feminine
        mmol → milimol, milimoles
        mEq → miliequivalente, miliequivalentes
        UI → unidad internacional, unidades internacionales, feminine
        comp | comps → comprimido, comprimidos
        cda | cdas → cucharada, cucharadas, feminine
        cdta | cdtas | cdita | cditas → cucharadita, cucharaditas, feminine
        gts → gota, gotas, feminine
        pts → punto, puntos
        pulg → pulgada, pulgadas, feminine
        pb | p.b. → punto básico, puntos básicos
        pp | p.p. → punto porcentual, puntos porcentuales
        kcal → kilocaloría, kilocalorías, feminine
        cal → caloría, calorías, feminine
        cv | CV → caballo, caballos
        hab → habitante, habitantes
        % → por ciento, por ciento
        ‰ → por mil, por mil
    """), "cm ml cl min hrs kgs rpm lpm kcal mmHg kWh km² m² cm² m³ m/s ppm"),
    near_basis_points=words(
        "interés intereses spread spreads diferencial diferenciales prima yield yields cupón rendimiento rendimientos bono bonos tesoro treasury"
        " treasuries inflación deuda fed bce banxico euríbor euribor swap crédito"
    ),
    number_words=words(
        "un una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve"
        " veinte veintiún veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve treinta cuarenta"
        " cincuenta sesenta setenta ochenta noventa cien doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos"
        " novecientos mil medio media varios algunos pocos muchos tantos cuantos cuántos unos cada"
    ),
    collectives=words("millón millones billón billones millar millares miles cientos decenas docenas centenares cuarto cuartos tercio tercios"),
    per_nouns=words(
        "segundo minuto hora día noche semana quincena mes bimestre trimestre semestre año siglo persona habitante alumno profesor paciente familia"
        " pareja niño unidad barril saco litro kilo gramo tonelada kilómetro metro hectárea arroba página caja paquete lote partido sesión sala"
        " turno cama médico caloría hogar vehículo cabeza planta línea clase mil millón"
    ),
    per_period=pairs("""
        a.a. | a. a. | a.a | A.A. → al año
        a/a → interanual
        a.m. | a. m. | a.m → al mes
        e.a. | E.A. | e. a. | EA → efectivo anual
        n.a. | N.A. | n. a. → nominal anual
        m.v. | M.V. | m. v. → mes vencido
        t.a. | T.A. | t. a. → trimestre anticipado
        p.a. | p. a. → por año
        p.m. | p. m. → por mes
    """),
    power="elevado a",
    ratio="a",
    before_ratio=words("escala escalas proporción proporciones razón razones dilución diluciones diluido diluida relación ratio tasa mezcla formato"),
    books=words(
        "génesis éxodo levítico números deuteronomio josué jueces rut samuel reyes crónicas esdras nehemías ester job salmo salmos proverbios"
        " eclesiastés cantares isaías jeremías lamentaciones ezequiel daniel oseas joel amós jonás miqueas habacuc sofonías ageo zacarías malaquías"
        " mateo marcos lucas juan hechos romanos corintios gálatas efesios filipenses colosenses tesalonicenses timoteo tito filemón hebreos"
        " santiago pedro judas apocalipsis jn mt mc lc rm gn ex sal is ap hch"
    ),
    versus="contra",
    month_abbreviations=listed("ene feb mar abr may jun jul ago sep oct nov dic"),
    greek=greek_names("alfa beta gamma delta épsilon zeta eta zeta iota kappa lambda mi ni xi ómicron pi ro sigma tau ípsilon fi ji psi omega"),
    about="aproximadamente",
    about_equal="aproximadamente igual a",
    code_nouns=words(
        "teléfono teléfonos teléf telef telf tel tlf tfno móvil móv celular fax whatsapp nif nie cif rut cuit cuil curp rfc iban isbn nit"
        " matrícula inscripción protocolo expediente cuenta"
    ),
    abbreviations=ABBREVIATIONS,
    before_name=BEFORE_NAME,
    before_number=BEFORE_NUMBER,
    before_letter=BEFORE_LETTER,
    acts=ACTS,
    rulings=RULINGS,
    compass=pairs("""
        N → norte
        S → sur
        E → este
        W | O → oeste
    """),
    inch=Noun("pulgada", "pulgadas", feminine=True),
    before_minutes=words("al los del minuto minutos"),
    act_nouns=words(
        "ley leyes decreto decretos orden resolución resoluciones sentencia expediente auto directiva reglamento acuerdo orgánica circular"
        " instrucción lo rd rdl om dl stc atc ats sts real número n nº edicto contrato"
    ),
    sides=SIDES,
    saints=words("Juan Pedro Pablo José Miguel Jorge Francisco Martín Sebastián Luis Marcos Mateo Lorenzo Antonio Isidro"),
    don=("don", "doña"),
    dona=words("Inés Isabel Elizabeth Beatriz Raquel Carmen Leonor Ester Pilar Mercedes Dolores Concepción Rosario Consuelo"),
    letters={
        **letter_names("a be ce de e efe ge hache i jota ka ele eme ene o pe cu erre ese te u uve uve equis i zeta"),
        "w": "uve doble", "y": "i griega",
    },
    spelled=words("UE IA AM PM CEO IP SOS USB AI OMS OMC UCI PP CE ADN PA TA VO AAS"),
    read=words("PIB ONG PSOE RENFE CSIC VIP LED INEM UNED FARC MIR OK COVID"),
    regnal=words(
        "don d doña rey reina papa emperador emperatriz príncipe princesa zar faraón santo san pedro juan carlos felipe luis enrique manuel"
        " alfonso isabel jorge josé maría napoleón alejandro fernando sancho guillermo benedicto pío león gregorio pablo francisco catalina"
        " federico nicolás ricardo eduardo leopoldo gustavo ramsés clemente urbano inocencio bonifacio sixto víctor jaime amadeo"
    ),
    century_nouns=words("siglo siglos s ss"),
    part_nouns=words(
        "capítulo capítulos cap volumen vol tomo tomos acto escena parte libro título artículo art sección anexo fase tipo clase grado nivel"
        " etapa módulo unidad canto grupo serie división liga dinastía figura tabla cuadro apéndice inciso incisos inc incs apartado apartados"
        " títulos secciones artículos arts protocolo bloque ciclo región"
        " categoría guerra copa"
    ),
    event_nouns={
        **dict.fromkeys(words("guerra conferencia feria jornada jornadas bienal copa república muestra semana reunión internacional edición"), True),
        **dict.fromkeys(words(
            "congreso encuentro seminario foro festival simposio reich milenio concilio plan coloquio gobierno ejército salón torneo"
            " campeonato premio curso concurso"
        ), False),
    },
    label_nouns=words(
        "página páginas sala número capítulo calle línea fase casa puerta pregunta clase unidad etapa versión temporada nota zona tienda"
        " avenida hoja figura tabla escena parte lección canal artículo plataforma carretera ruta apartamento bloque cuarto nivel grado"
        " tipo grupo punto paso año día mes camiseta pista mesa caja opción"
    ),
    name_nouns=words("calle avenida plaza paseo escuela colegio instituto rey reina infante infanta príncipe princesa obispo puente parque"),
    letter_nouns=words("vitamina vitaminas plan tipo letra opción categoría hepatitis"),
    feminine_determiners=words(
        "las la unas estas esas aquellas nuestras vuestras otras algunas todas últimas primeras próximas pocas muchas tantas"
    ),
    masculine_determiners=words(
        "los unos estos esos aquellos nuestros vuestros otros algunos todos últimos primeros próximos pocos muchos"
    ),
    not_counted=words(
        "a al el la las los o u y e de del en con para por que se aún ahora apenas mas pero contra nunca ya no solo sólo más menos hasta entre"
        " sobre sin desde fue era es está son fueron eran ellas ante bajo según tras ni como cuando donde si lo le me te nos"
    ),
    feminine_nouns=words(
        "vez veces mujer mujeres noche noches tarde tardes parte partes mano manos flor flores voz voces luz luces cruz cruces"
        " raíz raíces madre madres llave llaves nave naves ave aves red redes sede sedes fuente fuentes gente orden órdenes nube"
        " nubes ley leyes foto fotos moto motos serie series especie especies clase clases base bases fase fases frase frases"
        " hipótesis tesis crisis torre torres muerte muertes arte artes piel pieles carne carnes imagen imágenes calle calles"
        " radio radios señal señales sal sales pared paredes cárcel cárceles dosis síntesis catedral catedrales leche leches"
        " suerte suertes región regiones opinión opiniones unión uniones reunión reuniones religión religiones razón razones"
        " cuestión cuestiones gestión gestiones sugestión sugestiones tribu tribus nieve nieves fiebre fiebres serpiente"
        " serpientes corriente corrientes vertiente vertientes cumbre cumbres costumbre costumbres vid vides labor labores"
        " virgen vírgenes superficie superficies planicie planicies catástrofe catástrofes gripe gripes actriz actrices matriz"
        " matrices cicatriz cicatrices nariz narices perdiz perdices nuez nueces sangre salud sed miel lista listas pista pistas"
        " vista vistas revista revistas conquista conquistas entrevista entrevistas arista aristas"
    ),
    masculine_nouns=words(
        "día días problema problemas sistema sistemas tema temas programa programas mapa mapas clima climas planeta planetas"
        " cometa cometas poema poemas esquema esquemas telegrama telegramas cinema diploma diplomas dilema dilemas idioma"
        " idiomas trauma traumas fantasma fantasmas sofá sofás pijama pijamas drama dramas teorema teoremas síntoma síntomas"
        " aroma aromas atleta atletas colega colegas guardia guardias poeta poetas papa papas lema lemas recluta reclutas"
        " camarada camaradas patriota patriotas tranvía tranvías dálmata dálmatas astronauta astronautas monarca monarcas"
        " profeta profetas psicópata psicópatas demócrata demócratas burócrata burócratas acróbata acróbatas pirata piratas"
        " insecticida insecticidas pesticida pesticidas jesuita jesuitas belga belgas aztecas mayas incas gorila gorilas panda"
        " pandas puma pumas koala koalas enigma enigmas paradigma paradigmas dogma dogmas prisma prismas axioma axiomas genoma"
        " genomas hematoma hematomas emblema emblemas estigma estigmas organigrama organigramas cronograma cronogramas diagrama"
        " diagramas crucigrama crucigramas guía guías policía policías agua águila alma arma aula área hacha hada ala ancla arpa"
        " asma ansia acta alga haya hambre"
    ),
)

AMERICAS: Final = replace(
    SPAIN,
    locale="es-419",
    first_of_month="primero",
    currencies={**SPAIN.currencies, **currencies("$ → peso, pesos; centavo, centavos")},
    symbols={**SPAIN.symbols, "$": "pesos"},
    letters={**SPAIN.letters, "v": "ve", "w": "doble ve", "y": "ye"},
)
