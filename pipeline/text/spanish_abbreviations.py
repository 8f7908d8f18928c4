"""The abbreviations of Spanish."""

from __future__ import annotations

from typing import Final

from pipeline.text.words import pairs

ABBREVIATIONS: Final = pairs("""
    sr. | sr.o → señor
    sra. | sr.ª | srª | sr.a → señora
    srta. | sr.ta | srt.ª → señorita
    sres. | srs. | sr.es → señores
    sras. | sr.as | sr.ªs → señoras
    dr. → doctor
    dra. | dr.ª | drª | dr.a → doctora
    dres. | drs. → doctores
    dras. | dr.as | dr.ªs → doctoras
    prof. | prof.º | prof.o → profesor
    profa. | prof.ª | profª | prof.a → profesora
    ud. | vd. → usted
    uds. | vds. → ustedes
    excmo. | exc.mo | exmo. | ex.mo → excelentísimo
    excma. | exc.ma | exma. | ex.ma → excelentísima
    ilmo. | il.mo | iltmo. → ilustrísimo
    ilma. | il.ma | iltma. → ilustrísima
    av. | avda. | avd. | av.ª → avenida
    c/ → calle
    etc | etc. → etcétera
    p. ej. → por ejemplo
    i. e. → esto es
    cía. → compañía
    s/n → sin número
    a. C. → antes de cristo
    d. C. → después de cristo
    a. m. → a eme
    p. m. → pe eme
    vs. → versus
    ee. uu. | ee.uu. | eeuu → estados unidos
    jj. oo. → juegos olímpicos
    rr. hh. → recursos humanos
    ff. aa. → fuerzas armadas
    cc. aa. → comunidades autónomas
    p. d. → posdata
    pH → pe hache
    v. o. → vía oral
    apdo. de correos → apartado de correos
    s. n. m. → sobre el nivel del mar
    c# → ce sharp
    tel. | tfno. | teléf. | telef. | telf. | tlf. | tfn. | tel.º | tel.o | tlf.º → teléfono
    aprox. → aproximadamente
    máx. → máximo
    mín. → mínimo
    pág. → página
    págs. → páginas
    dpto. | depto. → departamento
    km/h → kilómetros por hora
    °c | ºc → grados celsius
    nº | n.º | n° | n.° | núm. → número
    n.os | nºs | n.ºs | núms. → números
    excmos. | exc.mos → excelentísimos
    excmas. | exc.mas → excelentísimas
    ilmos. | il.mos → ilustrísimos
    ilmas. | il.mas → ilustrísimas
    rvdo. | rdo. → reverendo
    rvda. → reverenda
    profs. | prof.es → profesores
    v. e. → vuestra excelencia
    tels. | tfnos. | teléfs. | telfs. → teléfonos
    mill. | mills. → millones
    pº | p.º → paseo
    cdad. → ciudad
    s.ta → santa
    s.to → santo
    fdo. → firmado
    disp. adic. → disposición adicional
    disp. trans. → disposición transitoria
    esq. con → esquina con
    c. p. → código postal
    ss. mm. → sus majestades
    s. m. → su majestad
    ss. aa. → sus altezas
    s. a. r. → su alteza real
    s. s. → su santidad
    y ss. → y siguientes
    dña. | d.ª | dª | d.a → doña
    m.ª | mª | m.a → maría
    fco. → francisco
""")

BEFORE_NAME: Final = pairs("""
    sr → señor
    sra → señora
    dr → doctor
    dra → doctora
    pza. | plza. | pl. | plz. → plaza
    bda. → barriada
    bº | b.º → barrio
    urb. → urbanización
    pol. ind. → polígono industrial
    pol. → polígono
    cl. → calle
    edif. → edificio
    rda. → ronda
    gta. → glorieta
    cno. → camino
    trva. → travesía
    pje. → pasaje
    blvr. | bulev. | blvd. → bulevar
    Col. → colonia
    prov. → provincia
    ayto. → ayuntamiento
    comte. | cmte. → comandante
    almte. → almirante
    mons. → monseñor
    ctra. → carretera
    sto. → santo
    sta. → santa
    gral. → general
    cnel. → coronel
    cap. → capitán
    tte. → teniente
    lic. → licenciado
    ing. → ingeniero
    arq. → arquitecto
    pdte. → presidente
    mtro. → maestro
    fr. → fray
    hnos. → hermanos
""")

BEFORE_NUMBER: Final = pairs("""
    min. → minuto
    p. → página
    pp. → páginas
    n.o → número
    inc. → inciso
    incs. → incisos
    ap. | apdo. | aptdo. → apartado
    párr. → párrafo
    párrs. → párrafos
    lib. → libro
    secc. → sección
    disp. → disposición
    exp. | expte. → expediente
    resol. → resolución
    fol. → folio
    fols. → folios
    esc. → escalera
    pta. → puerta
    pl. → planta
    ptal. → portal
    blq. | bl. → bloque
    mz. → manzana
    lt. → lote
    móv. → móvil
    ext. → extensión
    CP → código postal
    cta. → cuenta
    tít. → título
    art. → artículo
    arts. → artículos
    cap. → capítulo
    caps. → capítulos
    vol. → volumen
    vols. → volúmenes
    fig. → figura
    figs. → figuras
    tab. → tabla
    tabs. → tablas
    ec. → ecuación
    ecs. → ecuaciones
    No. | n. | nro. → número
    tel → teléfono
    s. → siglo
    ss. → siglos
    km → kilómetro
""")

BEFORE_LETTER: Final = pairs("""
    inc. → inciso
    ap. | apdo. | aptdo. → apartado
    esc. → escalera
    pta. → puerta
    ptal. → portal
    blq. | bl. → bloque
    lt. → lote
    mz. → manzana
""")

ACTS: Final = pairs("""
    LO | L.O. → ley orgánica
    RD | R.D. → real decreto
    RDL | RD-ley → real decreto ley
    RDLeg → real decreto legislativo
    DL → decreto ley
    DLeg → decreto legislativo
    OM → orden ministerial
    STC → sentencia del tribunal constitucional
    ATC → auto del tribunal constitucional
    STS → sentencia del tribunal supremo
    ATS → auto del tribunal supremo
""")

RULINGS: Final = pairs("""
    REC → recurso
    RCUD → recurso de casación para la unificación de doctrina
""")

SIDES: Final = pairs("""
    izq | izda | izqda | izqd → izquierda
    dcha | dch | der | drcha → derecha
    ctro → centro
    ext → exterior
    int → interior
    pta → puerta
    fte → frente
""")
