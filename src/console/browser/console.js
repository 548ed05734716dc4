import { agentList } from './agent-list.js'
import { appDetails } from './app-details.js'
import { editAppForm, newAppForm } from './app-form.js'
import { appList } from './app-list.js'
import { startRouter } from './router.js'

startRouter([
  [/^#\/new$/, newAppForm],
  [/^#\/agents(?:\/(.+))?$/, agentList],
  [/^#\/apps\/([^/]+)\/edit$/, editAppForm],
  [/^#\/apps\/([^/]+)$/, appDetails],
  [/^(?:#\/?(?:apps)?(?:\?(.*))?)?$/, appList],
])
