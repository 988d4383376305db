; The installer for Windows 10 (1809) and later, by Inno Setup 6.3 or later. Run by scripts/package, which gives
; Version, Bundle (the folder that PyInstaller has made) and Icon.
; For one person without an administrator; /ALLUSERS installs for everybody, /VERYSILENT asks nothing.
#ifndef Version
  #error Run scripts/package windows
#endif
; What Windows knows our notifications by. The program must use the same name (desktop-notifier's app_name).
#define Aumid "crmtray"

[Setup]
AppId={{6C0A2B7E-5D0E-4B55-9C1B-7E0A4C1D6F2A}
AppName=crmtray
AppVersion={#Version}
AppVerName=crmtray {#Version}
AppPublisher=crmtray
DefaultDirName={autopf}\crmtray
DisableProgramGroupPage=yes
DisableDirPage=auto
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog commandline
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
LicenseFile=..\..\LICENSE
OutputBaseFilename=crmtray-{#Version}-setup
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\crmtray.exe
UninstallDisplayName=crmtray
VersionInfoVersion={#Version}
Compression=lzma2
SolidCompression=yes
WizardStyle=modern
ShowLanguageDialog=auto
; A running crmtray is asked to end, and started again afterwards where Windows allows it.
CloseApplications=yes
RestartApplications=yes
ChangesAssociations=yes

[Languages]
Name: "es"; MessagesFile: "compiler:Languages\Spanish.isl"
Name: "en"; MessagesFile: "compiler:Default.isl"

[CustomMessages]
es.Comment=Alertas de tu CRM en tiempo real
en.Comment=Real-time alerts of your CRM
es.Autostart=Iniciar crmtray al iniciar sesión
en.Autostart=Start crmtray when signing in

[Tasks]
; For one person only: whether a program starts is each person's choice, and the settings window has the same switch.
Name: "autostart"; Description: "{cm:Autostart}"; Check: not IsAdminInstallMode

[InstallDelete]
; Parts of an older version must not be found by the new one.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Bundle}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
; Notifications need a shortcut in the start menu that has their name.
Name: "{autoprograms}\crmtray"; Filename: "{app}\crmtray.exe"; Comment: "{cm:Comment}"; AppUserModelID: "{#Aumid}"

[Registry]
Root: HKA; Subkey: "Software\Classes\crmtray"; ValueType: string; ValueData: "URL:crmtray"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\crmtray"; ValueType: string; ValueName: "URL Protocol"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\crmtray\shell\open\command"; ValueType: string; ValueData: """{app}\crmtray.exe"" -- ""%1"""
Root: HKCU; Subkey: "Software\Microsoft\Windows\CurrentVersion\Run"; ValueType: string; ValueName: "crmtray"; ValueData: """{app}\crmtray.exe"" --minimized"; Flags: uninsdeletevalue; Tasks: autostart
; What the program itself has written for the person who removes it.
Root: HKCU; Subkey: "Software\Microsoft\Windows\CurrentVersion\Run"; ValueType: none; ValueName: "crmtray"; Flags: uninsdeletevalue dontcreatekey
Root: HKCU; Subkey: "Software\Classes\AppUserModelId\{#Aumid}"; Flags: uninsdeletekey dontcreatekey
Root: HKCU; Subkey: "Software\Classes\crmtray"; Flags: uninsdeletekey dontcreatekey

[Run]
Filename: "{app}\crmtray.exe"; Description: "{cm:LaunchProgram,crmtray}"; Flags: nowait postinstall skipifsilent
