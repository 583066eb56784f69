import { edgeSuite } from './edge.js';

edgeSuite('http');
